"""Laws about the size of a group: its order by listing it, its dimension by the rank of its generators."""

import torch
from torch import Tensor

from parasym.core import ShapeError
from parasym.testing.contract_error import ContractError, require
from parasym.testing.group_law import LARGEST_ORDER_LISTED, GroupCase

STEP = 1e-5


def order_law(case: GroupCase) -> None:
    """Check ``order`` by closing random elements under composition and counting the distinct ones."""
    group = case.group
    if group.continuous:
        require(group.order == 1, f"{group}: a continuous group must have order 1, but has {group.order}.")
        return
    require(group.dimension == 0, f"{group}: a finite group must have dimension 0, but has {group.dimension}.")
    if group.order > LARGEST_ORDER_LISTED:
        return
    start = [group.sample(generator=case.generator, dtype=torch.float64) for _ in range(24)]
    found = {tuple(g.flatten().tolist()): g for g in start}
    frontier = list(found.values())
    while frontier and len(found) <= LARGEST_ORDER_LISTED:
        new = {tuple(p.flatten().tolist()): p for g in frontier for h in start for p in (group.compose(g, h),)}
        frontier = [g for key, g in new.items() if key not in found]
        found |= new
    require(len(found) == group.order, f"{group}: order must be {len(found)}, counted, but is {group.order}.")


def exponential_law(case: GroupCase) -> None:
    """Check that ``exp(0)`` is the identity and that its derivative agrees with central differences."""
    group = case.group
    if not group.continuous:
        _require_no_algebra(case)
        return
    zero = torch.zeros(*case.batch, *group.algebra_shape, dtype=torch.float64)
    e = group.identity(case.batch, dtype=torch.float64)
    require(torch.equal(group.exp(zero), e), f"{group}: exp(0) must be the identity, but is {group.exp(zero)}.")
    xi = torch.randn(zero.shape, generator=case.generator, dtype=torch.float64)
    x = case.tensor().cpu().double()
    for dual in (False, True):

        def moved(xi: Tensor, dual: bool = dual) -> Tensor:
            return group.act(group.exp(xi), x, case.axis, dual=dual)

        tangent = torch.func.jvp(moved, (zero,), (xi,))[1]
        slope = (moved(STEP * xi) - moved(-STEP * xi)) / (2 * STEP)
        error = (tangent - slope).abs().max().item()
        require(error < 1e-6 * max(1.0, slope.abs().max().item()), f"{group}: generator differs from the slope by {error:.3g}.")


def dimension_law(case: GroupCase) -> None:
    """Check ``dimension`` by the rank of the generators, and that conjugation keeps their span."""
    group = case.group
    if not group.continuous:
        return
    size = group.algebra_shape
    require(torch.Size(size).numel() == group.dimension, f"{group}: algebra_shape {size} must have {group.dimension} entries.")
    generators = _generators(case, None)
    rank = _rank(generators)
    require(rank == group.dimension, f"{group}: dimension must be {rank}, the rank of the generators, but is {group.dimension}.")
    g = group.sample(generator=case.generator, dtype=torch.float64)
    both = _rank(torch.cat((generators, _generators(case, g))))
    require(both == rank, f"{group}: the generators and their conjugates by a sample span {both} dimensions instead of {rank}.")


def _require_no_algebra(case: GroupCase) -> None:
    try:
        case.group.exp(torch.zeros(0))
    except ShapeError:
        return
    raise ContractError(f"{case.group}: exp of a finite group must raise ShapeError.")


def _generators(case: GroupCase, g: Tensor | None) -> Tensor:
    """Return the derivatives of ``g exp(xi) g^-1`` at 0 on the points 0, e_1, ..., e_length, one per row."""
    group = case.group
    points = torch.cat((torch.zeros(group.length, 1, dtype=torch.float64), torch.eye(group.length, dtype=torch.float64)), dim=1)

    def moved(xi: Tensor) -> Tensor:
        if g is None:
            return group.act(group.exp(xi), points, 0)
        return group.act(g, group.act(group.exp(xi), group.act(group.inverse(g), points, 0), 0), 0)

    zero = torch.zeros(group.algebra_shape, dtype=torch.float64)
    rows = torch.eye(zero.numel(), dtype=torch.float64).reshape(zero.numel(), *group.algebra_shape)
    return torch.stack([torch.func.jvp(moved, (zero,), (row,))[1].flatten() for row in rows]) if len(rows) else points[:0]


def _rank(rows: Tensor) -> int:
    return int(torch.linalg.matrix_rank(rows, rtol=1e-9)) if rows.numel() else 0
