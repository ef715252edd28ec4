"""The continuous directions of a circuit: those in which its outputs never change, and those that the state does not need."""

from dataclasses import replace

import torch
from torch import Tensor

from parasym.circuits import Angle, Circuit, Rotation
from parasym.circuits.execute import unpack
from parasym.circuits.simulate import density_matrix, expectations, needs_density, state_vector
from parasym.symmetry import Symmetry
from parasym.verify.rank import Rank, rank_by_gap
from parasym.verify.report import Completeness, Rest

NULL = 1e-9
BUDGET = 2e8
CHUNK = 2**15


def circuit_completeness(
    circuit: Circuit, symmetry: Symmetry, generator: torch.Generator
) -> tuple[Completeness | None, list[str]]:
    r"""Return how much of the continuous freedom of a circuit its symmetry explains.

    With observables, the gradients of all expectation values at many random points are stacked: a direction in their null
    space leaves the cost unchanged everywhere, as a straight line. Without observables the Jacobian of the state at one generic
    point is taken, up to phase; its null space also has the curved directions of an over-parametrized circuit. In
    both cases a note says how many directions the state has.

    Args:
        circuit: The circuit, with its channels.
        symmetry: The claim.
        generator: Source of randomness.
    """
    free = [j for j in range(circuit.num_parameters) if j not in circuit.frozen]
    side = (2**circuit.num_qubits) ** (2 if needs_density(circuit) else 1)
    if not free or len(free) * side * max(1, len(circuit.operations)) > BUDGET:
        return None, [f"completeness not computed: {len(free)} parameters and {circuit.num_qubits} qubits are too many"]
    point = _random(circuit, 1, generator)[0]
    velocity = _state_jacobian(circuit, point)[:, free]
    state_rank = _rank(velocity)
    rows = _gradients(circuit, len(free) + 8, side, generator)[:, free] if circuit.observables else velocity
    rank = _rank(rows)
    tangents, residual = _tangents(circuit, symmetry, rows, point, free)
    notes = (
        []
        if state_rank.value == len(free)
        else [f"over-parametrized: at a generic point the state moves in {state_rank.value} of {len(free)} directions"]
    )
    found = Completeness(
        parameters=len(free),
        rank=rank.value,
        explained=tangents.shape[1],
        gap=rank.gap,
        spectrum=(rank.above, rank.below),
        residual=residual,
        inputs=len(rows) if circuit.observables else 1,
        trustworthy=rank.trustworthy and residual < NULL,
        rest=_rest(circuit, rows, rank, tangents, free),
    )
    return found, notes


def _random(circuit: Circuit, count: int, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, circuit.num_parameters, generator=generator, dtype=torch.float64) * 2 - 1) * torch.pi


def _gradients(circuit: Circuit, count: int, side: int, generator: torch.Generator) -> Tensor:
    """Return the gradients of every expectation value at random points, one per row."""
    rows = []
    for points in _random(circuit, count, generator).split(max(1, CHUNK // side)):
        theta = points.detach().requires_grad_()
        values = expectations(circuit, theta)
        if not values.requires_grad:  # no angle depends on a parameter
            rows += [torch.zeros_like(points)] * values.shape[1]
            continue
        for k in range(values.shape[1]):
            (gradient,) = torch.autograd.grad(values[:, k].sum(), theta, retain_graph=True, allow_unused=True)
            rows.append(torch.zeros_like(theta) if gradient is None else gradient)
    return torch.cat(rows)


def _state_jacobian(circuit: Circuit, point: Tensor) -> Tensor:
    r"""Return the derivative of the state, for a pure one without the direction of its phase; shape ``[rows, M]``.

    Exactly, by shifted angles: :math:`\partial R_P(a) = R_P(a + \pi) / 2`, and for density matrices
    :math:`\partial\rho(a) = (\rho(a + \pi/2) - \rho(a - \pi/2)) / 2`.
    """
    angles = [op.angle for op in circuit.rotations]
    if not angles:
        return torch.zeros(1, circuit.num_parameters, dtype=torch.float64)
    multipliers = torch.zeros(len(angles), circuit.num_parameters, dtype=torch.float64)
    for k, angle in enumerate(angles):
        for j, m in angle.terms:
            multipliers[k, j] = m
    each = _with_own_angles(circuit)
    here = torch.stack([torch.as_tensor(angle.value(point), dtype=torch.float64) for angle in angles])
    shifts = torch.eye(len(angles), dtype=torch.float64) * torch.pi
    if needs_density(circuit):
        columns = (density_matrix(each, here + shifts / 2) - density_matrix(each, here - shifts / 2)).flatten(1) / 2
    else:
        psi = state_vector(each, here)
        columns = state_vector(each, here + shifts) / 2
        columns = columns - (columns @ psi.conj()).unsqueeze(1) * psi
    return torch.view_as_real(columns.resolve_conj()).flatten(1).mT @ multipliers


def _with_own_angles(circuit: Circuit) -> Circuit:
    """Return the circuit in which every rotation has a parameter of its own."""
    operations, k = [], 0
    for op in circuit.operations:
        if isinstance(op, Rotation):
            op, k = replace(op, angle=Angle(((k, 1.0),))), k + 1
        operations.append(op)
    return replace(circuit, operations=tuple(operations), tensors=(("angles", (k,)),), frozen=())


def _rank(rows: Tensor) -> Rank:
    return rank_by_gap(torch.linalg.svdvals(rows), scale=max(1.0, float(torch.linalg.matrix_norm(rows, 2))))


def _tangents(circuit: Circuit, symmetry: Symmetry, rows: Tensor, point: Tensor, free: list[int]) -> tuple[Tensor, float]:
    """Return an orthonormal basis of the symmetry's own directions, and how far the outputs change along them."""
    params = unpack(circuit, point)
    columns = []
    for _, tangent in symmetry.generators(params):
        full = {name: tangent.get(name, torch.zeros_like(value)) for name, value in params.items()}
        columns.append(torch.cat([full[name].reshape(-1) for name, _ in circuit.tensors])[free])
    if not columns:
        return rows.new_zeros(rows.shape[1], 0), 0.0
    u, s, _ = torch.linalg.svd(torch.stack(columns, dim=1), full_matrices=False)
    basis = u[:, : rank_by_gap(s).value]
    norm = float(torch.linalg.matrix_norm(rows, 2)) or 1.0
    return basis, float(torch.linalg.vector_norm(rows @ basis, dim=0).max()) / norm


def _rest(circuit: Circuit, rows: Tensor, rank: Rank, tangents: Tensor, free: list[int]) -> tuple[Rest, ...]:
    null = torch.linalg.svd(rows, full_matrices=True).Vh[rank.value :].mT
    left = null - tangents @ (tangents.mT @ null)
    u, s, _ = torch.linalg.svd(left, full_matrices=False)
    left = u[:, s > 1e-6]
    if not left.shape[1]:
        return ()
    names = entry_names(circuit)
    norms = torch.linalg.vector_norm(rows, dim=0)
    unused = [k for k in range(len(free)) if float(norms[k]) < NULL * max(1.0, float(norms.max()))]
    unused = [k for k in unused if float(torch.linalg.vector_norm(left[k])) > 1e-6]
    out = [Rest("unused parameter", len(unused), tuple(names[free[k]] for k in unused))] if unused else []
    weights = (left**2).sum(1)
    weights[unused] = 0
    if left.shape[1] > len(unused):
        order = weights.argsort(descending=True).tolist()
        bearers = tuple(names[free[k]] for k in order if float(weights[k]) > 1e-6)
        out.append(Rest("unexplained", left.shape[1] - len(unused), bearers))
    return tuple(out)


def entry_names(circuit: Circuit) -> list[str]:
    """Return a name for every parameter, such as ``angles[3]`` or ``weights[0, 2]``.

    Args:
        circuit: The circuit.
    """
    names = []
    for name, shape in circuit.tensors:
        for index in (
            torch.cartesian_prod(*(torch.arange(n) for n in shape)).reshape(-1, max(1, len(shape))).tolist() if shape else [[]]
        ):
            names.append(f"{name}[{', '.join(str(i) for i in index)}]" if shape else name)
    return names
