"""Read what a PennyLane tape measures."""

from typing import Any

import numpy as np

from parasym.circuits.observable import Observable, PauliSum, StabilizerProjector, StateProjector
from parasym.circuits.pauli import Pauli
from parasym.core import BadInputError

MOST_HERMITIAN_WIRES = 5


def observables_of(measurements: list[Any], wires: dict[Any, int]) -> tuple[Observable, ...]:
    """Return the observables whose invariance keeps all measurements; none stands for the whole state.

    Probabilities and samples of bit strings are kept if Z on every wire is; a reduced state if X and Z on every wire are.

    Args:
        measurements: PennyLane's measurement processes.
        wires: The number of every wire.

    Raises:
        BadInputError: If there is none, or one has no Pauli form.
    """
    if not measurements:
        raise BadInputError("The circuit must measure something, but returns nothing. End it with qml.expval(...).")
    out: list[Observable] = []
    for m in measurements:
        kind = type(m).__name__
        if kind == "StateMP":
            return ()
        where = [wires[w] for w in m.wires] or list(wires.values())
        if kind == "DensityMatrixMP":
            out += [PauliSum(((1.0, Pauli.from_label(letter, (q,))),)) for q in where for letter in "XZ"]
        elif m.obs is not None:
            out.append(observable_of(m.obs, wires))
        elif kind in {"ProbabilityMP", "SampleMP", "CountsMP"}:
            out += [PauliSum(((1.0, Pauli(z=1 << q)),)) for q in where]
        else:
            raise BadInputError(f"Measurement {kind} cannot be read; expval, var, probs, sample, counts and state can.")
    return tuple(out)


def observable_of(obs: Any, wires: dict[Any, int]) -> Observable:
    """Return one of PennyLane's observables.

    Args:
        obs: The observable.
        wires: The number of every wire.

    Raises:
        BadInputError: If it has no Pauli form and too many wires to get one, or lies on missing wires.
    """
    missing = [w for w in obs.wires if w not in wires]
    if missing:
        raise BadInputError(f"The observable lies on wire {missing[0]!r}, but the circuit has only the wires {list(wires)}.")
    where = tuple(wires[w] for w in obs.wires)
    if obs.name == "Projector" and obs.data and np.size(obs.data[0]) == len(where):
        bits = [int(b) for b in np.asarray(obs.data[0])]
        return StabilizerProjector(tuple((1 - 2 * b, Pauli(z=1 << q)) for b, q in zip(bits, where, strict=True)))
    if obs.name == "Projector" and sorted(where) == list(range(len(wires))) and list(where) == sorted(where):
        return StateProjector(tuple(complex(a) for a in np.asarray(obs.data[0])))
    sentence = obs.pauli_rep
    if sentence is None:
        sentence = _decomposed(obs, where)
    terms = []
    for word, coefficient in sentence.items():
        letters = "".join(word[w] for w in word.wires)
        terms.append((float(np.real(coefficient)), Pauli.from_label(letters, tuple(wires[w] for w in word.wires))))
    return PauliSum(tuple(term for term in terms if abs(term[0]) > 0))


def _decomposed(obs: Any, where: tuple[int, ...]) -> Any:
    import pennylane as qml

    if len(where) > MOST_HERMITIAN_WIRES or not obs.has_matrix:
        raise BadInputError(f"Observable {obs.name} on {len(where)} wires has no Pauli form; write it as a sum of Pauli words.")
    return qml.pauli_decompose(obs.matrix(), wire_order=obs.wires, pauli=True)
