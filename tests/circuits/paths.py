"""An oracle: all monomials of the cost in cosines and sines, and the sign flips and half turns that keep every one of them.

The cost of a circuit in which every parameter is the angle of one rotation is a sum of monomials, each a product of cosines
and sines of different angles. A map keeps the cost if and only if it keeps every monomial with a coefficient that is not
zero, which is a linear condition over GF(2). Exponential, and obvious.
"""

import numpy as np

from parasym.circuits import Channel, Circuit, Rotation, operation_matrix, pauli_matrix
from parasym.circuits.frame import System
from parasym.circuits.simulate import _initial_density, observed

Monomial = tuple[frozenset[int], frozenset[int]]


def monomials(circuit: Circuit) -> dict[Monomial, float]:
    """Coefficients by the sets of angles whose cosine and whose sine appear."""
    import torch

    n, side = circuit.num_qubits, 2**circuit.num_qubits
    rho = _initial_density(circuit).numpy()
    eye = torch.eye(side, dtype=torch.complex128)
    out: dict[Monomial, float] = {}
    for observable in circuit.observables:
        terms: dict[Monomial, np.ndarray] = {(frozenset(), frozenset()): observed(observable, eye, n).mT.numpy()}
        for op in reversed(circuit.operations):
            terms = _pulled(op, terms, n)
        for monomial, matrix in terms.items():
            out[monomial] = max(out.get(monomial, 0.0), abs(complex(np.trace(rho @ matrix))))
    return {monomial: c for monomial, c in out.items() if c > 1e-11}


def _pulled(op, terms, n):
    new: dict[Monomial, np.ndarray] = {}

    def add(monomial, matrix):
        if np.abs(matrix).max() > 1e-13:
            new[monomial] = new.get(monomial, 0) + matrix

    for (c, s), a in terms.items():
        if isinstance(op, Rotation):
            ((j, _),) = op.angle.terms
            p = pauli_matrix(op.pauli, n)
            still, turned = (a + p @ a @ p) / 2, (a - p @ a @ p) / 2
            add((c, s), still)
            add((c | {j}, s), turned)
            add((c, s | {j}), 1j * p @ turned)
        elif isinstance(op, Channel):
            add((c, s), sum(k.conj().T @ a @ k for k in (_placed(np.array(m), op.qubits, n) for m in op.kraus)))
        else:
            u = _placed(operation_matrix(op), op.qubits, n)
            add((c, s), u.conj().T @ a @ u)
    return new


def _placed(matrix: np.ndarray, qubits: tuple[int, ...], n: int) -> np.ndarray:
    import torch

    from parasym.circuits.simulate import _matrix

    columns = _matrix(torch.from_numpy(matrix.astype(complex)), qubits, torch.eye(2**n, dtype=torch.complex128), num_qubits=n)
    return columns.mT.numpy()


def complete_rank(circuit: Circuit) -> int:
    """Number of independent sign flips and half turns that keep every monomial."""
    size, system = circuit.num_parameters, System()
    for c, s in monomials(circuit):
        shifts = sum(1 << size + j for j in c | s)
        system.require(shifts | sum(1 << j for j in s))
    return 2 * size - len(system.rows)


def keeps_every_monomial(circuit: Circuit, row: int) -> bool:
    size = circuit.num_parameters
    sign, shift = (lambda j: row >> j & 1), (lambda j: row >> size + j & 1)
    return all((sum(shift(j) for j in c | s) + sum(sign(j) for j in s)) % 2 == 0 for c, s in monomials(circuit))
