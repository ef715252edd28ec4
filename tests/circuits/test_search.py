"""The symmetry of a circuit: counts known by hand, exact invariance, independent oracles, planted faults."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from parasym.circuits import (
    Angle,
    Channel,
    Circuit,
    Clifford,
    NoiseModel,
    PauliSum,
    StabilizerProjector,
    StateProjector,
    alternating,
    amplitude_damping,
    angle_group,
    controlled_rotation,
    depolarizing,
    find_circuit,
    gate,
    generalized_amplitude_damping,
    ising_ring,
    layered,
    propagate,
    rotation,
    with_noise,
)
from parasym.circuits.simulate import expectations
from tests.circuits.paths import complete_rank, keeps_every_monomial
from tests.circuits.random_circuit import (
    dice,
    orbit_error,
    random_angles,
    random_circuit,
    random_kraus,
    random_pauli_channel,
    sprinkled,
)

DAMPED = NoiseModel(after_many=(amplitude_damping(0.1, 0),))


def rank(symmetry) -> int:
    return angle_group(symmetry).rank if symmetry.factors else 0


@pytest.mark.parametrize("layers", [2, 3, 4, 5])
def test_layers_of_ry_and_cx_have_the_published_number_of_copies(layers: int):
    assert find_circuit(layered(4, layers)).order == 2 ** (4 * (layers - 1))


@pytest.mark.parametrize(
    ("rotations", "entangler", "whole", "damped"), [("Y", "cx", 13, 1), ("YZ", "cz", 29, 17), ("ZXZ", "cx", 45, 33)]
)
def test_rank_with_and_without_amplitude_damping(rotations, entangler, whole, damped):
    circuit = layered(4, 3, rotations=rotations, entangler=entangler, final=True, observables=(ising_ring(4),))
    assert (rank(find_circuit(circuit)), rank(find_circuit(circuit, noise=DAMPED))) == (whole, damped)


def test_shared_angles_of_the_alternating_ansatz():
    circuit = alternating(4, 2)
    symmetry = find_circuit(circuit)
    assert rank(symmetry) == 4
    assert orbit_error(circuit, symmetry, 0) < 1e-12


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("antiunitary", [False, True])
def test_random_circuits_are_exactly_invariant(seed: int, antiunitary: bool):
    circuit = random_circuit(seed, n=2 + seed % 3, count=8 + seed % 10)
    assert orbit_error(circuit, find_circuit(circuit, antiunitary=antiunitary), seed) < 1e-12


@pytest.mark.parametrize("seed", range(15))
def test_random_pauli_noise_preserves_everything(seed: int):
    n, rng = 2 + seed % 2, dice(seed)
    circuit = random_circuit(seed, n=n)
    noisy = sprinkled(
        circuit, rng, lambda r: random_pauli_channel(r, tuple(r.choice(n, int(r.integers(1, 3)), replace=False).tolist()))
    )
    symmetry = find_circuit(circuit, antiunitary=True)
    assert orbit_error(noisy, symmetry, seed) < 1e-12
    assert find_circuit(noisy, antiunitary=True).order == symmetry.order


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("kind", ["damping", "reset", "generalized", "random"])
def test_what_survives_other_noise_is_exact(seed: int, kind: str):
    n, rng = 2 + seed % 2, dice(seed)
    make = {
        "damping": lambda r: amplitude_damping(0.2, int(r.integers(n))),
        "reset": lambda r: amplitude_damping(1.0, int(r.integers(n))),
        "generalized": lambda r: generalized_amplitude_damping(0.3, 0.6, int(r.integers(n))),
        "random": lambda r: random_kraus(r, int(r.integers(n))),
    }[kind]
    circuit = random_circuit(seed, n=n)
    noisy = sprinkled(circuit, rng, make, every=0.2)
    surviving = find_circuit(noisy, antiunitary=True)
    assert orbit_error(noisy, surviving, seed) < 1e-12
    if kind != "reset":  # a reset forgets: it may add symmetries
        assert surviving.order <= find_circuit(circuit, antiunitary=True).order


def test_noise_breaks_what_it_does_not_respect():
    circuit = layered(3, 2, final=True, observables=(ising_ring(3),))
    whole, surviving = find_circuit(circuit), find_circuit(circuit, noise=DAMPED)
    noisy = with_noise(circuit, DAMPED)
    assert orbit_error(noisy, whole, 0) > 1e-2
    assert orbit_error(noisy, surviving, 0) < 1e-12
    assert orbit_error(with_noise(circuit, NoiseModel(after_many=(depolarizing(0.1, 0),))), whole, 0) < 1e-12


def test_where_a_noise_model_puts_its_channels():
    circuit = Circuit(2, (rotation("X", 0, 0), gate("cx", 0, 1)), (PauliSum.from_labels({"ZZ": 1.0}),))
    model = NoiseModel((depolarizing(0.1, 0),), (amplitude_damping(0.1, 0),), (amplitude_damping(0.2, 0),))
    names = [(getattr(op, "name", "rotation"), op.qubits) for op in with_noise(circuit, model).operations]
    damped = [("amplitude_damping", (0,)), ("amplitude_damping", (1,))]
    assert names == [("rotation", (0,)), ("depolarizing", (0,)), ("cx", (0, 1)), *damped, *damped]


def test_unital_is_not_enough():
    """A random flip about a tilted axis is unital and breaks; only channels diagonal in the Pauli basis do not."""
    axis = (np.array([[0, 1], [1, 0]]) + np.diag([1, -1])) / 2**0.5
    tilted = Channel((0,), (0.9**0.5 * np.eye(2), 0.1**0.5 * axis), "tilted")  # pyright: ignore[reportArgumentType]
    circuit = layered(3, 2, final=True, observables=(ising_ring(3),))
    noise = NoiseModel(after_many=(tilted,))
    assert orbit_error(with_noise(circuit, noise), find_circuit(circuit), 0) > 4e-3
    surviving = find_circuit(circuit, noise=noise)
    assert surviving.order < find_circuit(circuit).order
    assert orbit_error(with_noise(circuit, noise), surviving, 0) < 1e-12


def single_use(seed: int) -> Circuit:
    """A random circuit in which every parameter is the plain angle of one rotation."""
    circuit, k, operations = random_circuit(seed, n=3, count=10), 0, []
    for op in circuit.operations:
        if getattr(op, "angle", None) is not None:
            op, k = replace(op, angle=Angle(((k, 1.0),))), k + 1
        operations.append(op)
        if k == 7:
            break
    return Circuit(3, tuple(operations), circuit.observables, circuit.initial)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("damped", [False, True])
def test_every_generator_keeps_every_path(seed: int, damped: bool):
    circuit = single_use(seed)
    if damped:
        circuit = sprinkled(circuit, dice(seed), lambda r: amplitude_damping(0.2, int(r.integers(3))), every=0.2)
    if circuit.num_parameters == 0:
        pytest.skip("no rotation was drawn")
    symmetry = find_circuit(circuit, antiunitary=True)
    for row in angle_group(symmetry).rows if symmetry.factors else ():
        assert keeps_every_monomial(circuit, row)
    assert rank(symmetry) <= complete_rank(circuit)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_group_of_layers_is_complete(layers: int):
    circuit = layered(3, layers, final=True, observables=(ising_ring(3),))
    assert rank(find_circuit(circuit)) == complete_rank(circuit)
    noisy = with_noise(circuit, DAMPED)
    assert rank(find_circuit(noisy)) == complete_rank(noisy)


def test_gradients_move_by_the_signs():
    circuit = layered(3, 2, rotations="YZ", observables=(ising_ring(3),))
    group = angle_group(find_circuit(circuit))
    g = group.sample(generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    theta = random_angles(circuit, 2)

    def gradient(t):
        t = t.clone().requires_grad_()
        return torch.autograd.grad(expectations(circuit, t).sum(), t)[0]

    signs = 1 - 2 * g[0]
    here, there = gradient(theta), gradient(group.act(g, theta, 0))
    assert (there - signs * here).abs().max() < 1e-12
    assert (there - here).abs().max() > 1e-2


def test_noisy_cost_on_an_orbit_flips_the_sign_of_the_translation():
    """Amplitude damping conjugated by X is damping towards 1: the cost at a moved point is that with such channels."""
    circuit = layered(2, 2, final=True, observables=(PauliSum.from_labels({"ZZ": 1.0, "XI": 0.3, "IX": 0.3}),))
    noisy = with_noise(circuit, NoiseModel(after_many=(amplitude_damping(0.2, 0),)))
    group = angle_group(find_circuit(circuit))
    theta, costs = random_angles(circuit, 3), set()
    for g in group.elements():
        costs.add(round(float(expectations(noisy, group.act(g, theta, 0))), 10))
    places = [k for k, op in enumerate(noisy.operations) if isinstance(op, Channel)]
    twisted = set()
    for flips in np.ndindex(*(2,) * len(places)):
        operations = list(noisy.operations)
        for k, flip in zip(places, flips, strict=True):
            q = operations[k].qubits[0]
            operations[k] = generalized_amplitude_damping(0.2, 1.0 - flip, q)
        twisted.add(round(float(expectations(replace(noisy, operations=tuple(operations)), theta)), 10))
    assert len(costs) > 1
    assert costs <= twisted


@pytest.mark.parametrize("frozen", [0, 3, 5])
def test_frozen_angles_do_not_move(frozen: int):
    circuit = replace(layered(3, 3, observables=(ising_ring(3),)), frozen=(frozen,))
    group = angle_group(find_circuit(circuit))
    assert all(not row >> frozen & 1 and not row >> group.size + frozen & 1 for row in group.rows)
    assert group.rank < angle_group(find_circuit(replace(circuit, frozen=()))).rank
    assert orbit_error(circuit, find_circuit(circuit), 1) < 1e-12


def test_controlled_rotations_turn_by_two_pi():
    operations = (rotation("Y", 0, 0), *controlled_rotation("X", 0, 1, 1), rotation("Y", 1, 2), rotation("Y", 0, 3))
    circuit = Circuit(2, operations, (PauliSum.from_labels({"ZZ": 1.0}),))
    symmetry = find_circuit(circuit)
    assert angle_group(symmetry).units[1] == pytest.approx(2 * np.pi)
    assert orbit_error(circuit, symmetry, 0) < 1e-12
    period = torch.tensor([0.3, 0.4, 0.5, 0.7], dtype=torch.float64)
    shifted = period + torch.tensor([0.0, 2 * np.pi, 0.0, 0.0])
    assert (expectations(circuit, shifted) - expectations(circuit, period)).abs().max() > 1e-2  # half a period moves it


def test_offsets_move_the_center_of_a_flip():
    operations = (rotation("X", 0, 0), rotation("Y", 0, Angle(((1, 2.0),), 0.6)), rotation("X", 0, 2))
    circuit = Circuit(1, operations, (PauliSum.from_labels({"Z": 1.0}),))
    symmetry = find_circuit(circuit)
    assert angle_group(symmetry).centers[1] == pytest.approx(-0.3)
    assert rank(symmetry) > 1
    assert orbit_error(circuit, symmetry, 0) < 1e-12


def test_a_parameter_shared_at_different_multiples():
    operations = (rotation("X", 0, Angle(((0, 1.0),))), rotation("Y", 0, Angle(((0, 2.0),))), rotation("X", 0, 1))
    circuit = Circuit(1, operations, (PauliSum.from_labels({"Z": 1.0}),))
    assert orbit_error(circuit, find_circuit(circuit, antiunitary=True), 0) < 1e-12
    odd = replace(circuit, operations=(*operations, rotation("X", 0, Angle(((0, 2**0.5),)))))
    assert orbit_error(odd, find_circuit(odd, antiunitary=True), 0) < 1e-12


@pytest.mark.parametrize(
    "make", [lambda: StabilizerProjector.from_labels("ZII", "IZI", "-IIZ"), lambda: StateProjector((1, 0, 0, 0, 0, 0, 0, 0))]
)
def test_projectors(make):
    circuit = layered(3, 2, observables=(make(),))
    symmetry = find_circuit(circuit)
    assert rank(symmetry) >= 3
    assert orbit_error(circuit, symmetry, 0) < 1e-12


def test_the_identity_group_where_nothing_passes():
    generic = np.array([0.1, 0.5, 0.7, 0.3 + 0.4j])
    circuit = Circuit(2, (rotation("Y", 0, 0),), (StateProjector(tuple(generic / np.linalg.norm(generic))),))
    symmetry = find_circuit(circuit)
    assert symmetry.factors == ()
    assert symmetry.pinned == ("angles",)


def test_a_hundred_qubits():
    circuit = layered(100, 21, rotations="YZ", observables=(ising_ring(100),))
    symmetry = find_circuit(circuit)
    assert symmetry.order == 2 ** (4200 - 100 + 1)


def _forgets_z(self, word):
    out = 0
    for q in word.qubits:
        out ^= self.z[q] if word.x >> q & 1 else 0
    return out


def _errors(circuits) -> list[float]:
    return [orbit_error(circuit, find_circuit(circuit), k) for k, circuit in enumerate(circuits)]


def _plain_circuits() -> list[Circuit]:
    return [layered(3, 2, rotations=r, final=True, observables=(ising_ring(3),)) for r in ("Y", "ZX", "XYZ")]


def _with_s(circuit: Circuit) -> Circuit:
    return replace(circuit, operations=tuple(part for op in circuit.operations for part in (op, gate("s", op.qubits[0]))))


def test_planted_faults_are_seen(monkeypatch: pytest.MonkeyPatch):
    assert max(_errors(map(_with_s, _plain_circuits()))) < 1e-12
    with monkeypatch.context() as patch:
        patch.setattr("parasym.circuits.frame.Frame.product", _forgets_z)
        assert max(_errors(_plain_circuits())) > 1e-2
    right = propagate.relation
    with monkeypatch.context() as patch:
        wrong = {"s": Clifford("i", (0,))}
        patch.setattr(propagate, "relation", lambda op: right(wrong.get(getattr(op, "name", ""), op)))
        assert max(_errors(map(_with_s, _plain_circuits()))) > 1e-2


def test_planted_ignorance_of_a_shared_parameter_is_seen():
    tied = alternating(4, 2)
    k, operations = 0, []
    for op in tied.operations:
        if getattr(op, "angle", None) is not None:
            op, k = replace(op, angle=Angle(((k, 1.0),))), k + 1
        operations.append(op)
    untied = find_circuit(replace(tied, operations=tuple(operations), tensors=())).factors[0].group
    g = untied.sample(generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theta = random_angles(tied, 0)
    moved = untied.act(g, torch.stack([op.angle.value(theta) for op in tied.operations if hasattr(op, "angle")]), 0)  # pyright: ignore
    firsts = [next(i for i, op in enumerate(tied.rotations) if op.angle.parameters == (j,)) for j in range(4)]
    guess = torch.stack([moved[i] / tied.rotations[i].angle.terms[0][1] for i in firsts])
    assert (expectations(tied, guess) - expectations(tied, theta)).abs().max() > 1e-2


def test_cosets_list_what_noise_tells_apart():
    circuit = layered(2, 2, final=True, observables=(PauliSum.from_labels({"ZZ": 1.0, "XI": 0.3}),))
    whole, surviving = find_circuit(circuit), find_circuit(circuit, noise=DAMPED)
    cosets = whole.cosets(surviving)
    assert cosets.order * surviving.order == whole.order
    noisy, theta = with_noise(circuit, DAMPED), random_angles(circuit, 0)
    everything = {round(float(expectations(noisy, whole.act(g, {"angles": theta})["angles"])), 10) for g in whole.elements()}
    chosen = {round(float(expectations(noisy, g(theta))), 10) for g in cosets.elements()}
    assert chosen == everything
    assert len(everything) > 1
    with pytest.raises(ValueError, match="exchange the two"):
        surviving.cosets(whole)
