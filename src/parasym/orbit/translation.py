"""Translations: removed from one model, or fitted between two."""

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.objective import STATISTICS, counted
from parasym.symmetry import Element, Factor, Inverse, Move, Shift, Slot, Symmetry

ROUNDING = 16
"""Multiples of the rounding error below which a translation, or what is left of a residual, is noise."""


def settle(symmetry: Symmetry, params: Params, *, max_steps: int = 20, tolerance: float = 1e-12) -> Params:
    r"""Return the parameters with every translation spent on the first tensor it moves.

    Of the tensor ``x`` that a translation adds to directly, :math:`x \mapsto x + D t`, only the part orthogonal to the image of
    ``D`` remains: a bias that moves freely becomes 0, rows that shift along the mean lose their mean. Rows ``w`` that shift
    along the inverse of a gain ``g`` lose the mean of :math:`w \odot g`, which no scale of the gain changes. The result
    does not depend on where in the orbit of the translations one starts, and goes along with every isometry.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name; not modified.
        max_steps: Bound on the passes over all translations.
        tolerance: Largest translation, relative to the tensor, at which to stop; rounding is where it stops at the latest.
    """
    return Element(symmetry, settling_moves(symmetry, params, max_steps=max_steps, tolerance=tolerance))(params)


def settling_moves(symmetry: Symmetry, params: Params, *, max_steps: int = 20, tolerance: float = 1e-12) -> tuple[Move, ...]:
    """Return the translations that :func:`settle` makes.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name; not modified.
        max_steps: Bound on the passes over all translations.
        tolerance: Largest translation, relative to the tensor, at which to stop; rounding is where it stops at the latest.
    """
    moves: list[Move] = []
    factors = [f for f in symmetry.factors if isinstance(f.bindings[0], Shift)]
    spent = _spent_on(factors)
    for _ in range(max_steps if factors else 0):
        largest = 0.0
        for factor, shift in zip(factors, spent, strict=True):
            t, size = _settling(factor, shift, params)
            if size > 0:
                params = factor.act(t, params)
                moves.append(Move(factor.id, t))
                noise = ROUNDING * torch.finfo(t.dtype).eps
                largest = max(largest, size if size > noise else 0.0)
        if largest <= tolerance:
            break
    return tuple(moves)


def spending(symmetry: Symmetry) -> list[tuple[Factor, str]]:
    """Return every translation with the name of the tensor that :func:`settle` spends it on.

    Args:
        symmetry: Any symmetry.
    """
    factors = [f for f in symmetry.factors if isinstance(f.bindings[0], Shift)]
    return [(factor, shift.tensor) for factor, shift in zip(factors, _spent_on(factors), strict=True)]


def _spent_on(factors: list[Factor]) -> list[Shift]:
    """Return the place each translation is spent on: the first one it adds to directly that no earlier one took."""
    taken: set[tuple[str, tuple[Slot, ...], tuple[Inverse, ...]]] = set()
    out = []
    for factor in factors:
        shifts = [s for s in factor.bindings if isinstance(s, Shift)]
        shifts.sort(key=lambda s: len(s.through))  # stable: those added to directly come first
        shift = next((s for s in shifts if _place(s) not in taken), shifts[0])
        taken.add(_place(shift))
        out.append(shift)
    return out


def _place(shift: Shift) -> tuple[str, tuple[Slot, ...], tuple[Inverse, ...]]:
    return shift.tensor, shift.slots, tuple(step for step in shift.through if isinstance(step, Inverse))


def _settling(factor: Factor, shift: Shift, params: Params) -> tuple[Tensor, float]:
    x = params[shift.tensor]
    zero = torch.zeros(*factor.batch, factor.group.size, dtype=x.dtype, device=x.device)
    t = _least_squares([shift], zero, params, {shift.tensor: -x}, _counting(shift, zero, params))
    scale = float(x.abs().max())
    return t, float(t.abs().max()) / scale if scale > 0 else 0.0


def _counting(shift: Shift, zero: Tensor, params: Params) -> Params:
    """Return by what entries count where a shift lies along the inverse of a gain, so that scales of the gain change nothing."""
    if not any(isinstance(step, Inverse) for step in shift.through):
        return {}
    moved = shift.delta(torch.ones_like(zero), params)
    return {shift.tensor: torch.where(moved == 0, 0.0, 1 / torch.where(moved == 0, 1.0, moved))}


def fit_translations(symmetry: Symmetry, a: Params, b: Params, *, max_steps: int = 200) -> tuple[list[Move], Params]:
    r"""Return the translations that bring ``b`` closest to ``a``, and ``b`` moved by them.

    Each is a linear least-squares problem :math:`\min_t \sum_T \|a_T - b_T - D_T t\|^2`; they repeat until none gains.

    Args:
        symmetry: Any symmetry.
        a: The target.
        b: What is moved; not modified.
        max_steps: Bound on the passes.
    """
    moves: list[Move] = []
    names = set(counted(a, STATISTICS))
    for _ in range(max_steps):
        largest = 0.0
        for factor in symmetry.factors:
            shifts = [s for s in factor.bindings if isinstance(s, Shift) and s.tensor in names]
            if not shifts:
                continue
            x = b[shifts[0].tensor]
            zero = torch.zeros(*factor.batch, factor.group.size, dtype=x.dtype, device=x.device)
            t = _least_squares(shifts, zero, b, {s.tensor: a[s.tensor] - b[s.tensor] for s in shifts})
            size = float(t.abs().max())
            if size > 0:
                b = factor.act(t, b)
                moves.append(Move(factor.id, t))
            rounding = ROUNDING * torch.finfo(x.dtype).eps * max(float(a[s.tensor].abs().max()) for s in shifts)
            largest = max(largest, size if size > rounding else 0.0)
        if largest <= 1e-9:
            break
    return moves, b


def _least_squares(shifts: list[Shift], zero: Tensor, params: Params, residual: Params, counting: Params | None = None) -> Tensor:
    """Return the ``t`` of least ``sum ||counting * (residual - D t)||^2`` by conjugate gradients on the normal equations."""
    counts = counting or {}

    def forward(t: Tensor) -> Params:
        out: Params = {}
        for shift in shifts:
            delta = shift.delta(t, params)
            out[shift.tensor] = out[shift.tensor] + delta if shift.tensor in out else delta
        return {n: x * counts[n] if n in counts else x for n, x in out.items()}

    pull = torch.func.vjp(forward, zero)[1]
    t = zero
    r = pull({n: x.to(zero) * counts.get(n, 1) for n, x in residual.items()})[0]
    p, rr = r, float((r * r).sum())
    stop = rr * (ROUNDING * torch.finfo(zero.dtype).eps) ** 2
    for _ in range(2 * zero.numel() + 10):
        if rr <= stop or rr == 0:
            break
        image = forward(p)
        q = pull(image)[0]
        curvature = float(sum(float(x.square().sum()) for x in image.values()))
        if curvature == 0:
            break
        t, r = t + (rr / curvature) * p, r - (rr / curvature) * q
        rr, old = float((r * r).sum()), rr
        p = r + (rr / old) * p
    return t
