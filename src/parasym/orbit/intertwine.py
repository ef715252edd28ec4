"""Invertible maps of several wires at once, where balancing does not determine them."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, lsmr
from torch import Tensor

from parasym.core import Params
from parasym.orbit.gauge import is_noncompact
from parasym.orbit.normal_form import normal_form
from parasym.orbit.objective import STATISTICS, counted, gap
from parasym.symmetry import Binding, Element, Factor, Move, Symmetry

DAMPING = (0.0, 1e-2)
"""How much a map that is far from the identity costs: nothing between copies, more where there is noise."""

PRECISION = 1e-15
"""Relative precision of the solution."""

_DENSE = 1 << 18
"""Entries of a system up to which it is solved by its singular values, which iterations only approach."""

_PASSES = 3

LIMIT = 1e12
"""Condition of a map from which on its inverse is noise."""


def fit_maps(symmetry: Symmetry, a: Params, b: Params, factors: Sequence[Factor]) -> Element:
    r"""Return elements of ``GL(n)`` that bring ``b`` closest to ``a``, or nearly so, of several wires at once.

    Where a wire is wider than what passes through it, there is no point of least norm to bring two models to, and what one wire
    should do depends on what the others do. But :math:`a = g\,b\,h^{-1}` holds where :math:`a\,h = g\,b`, which is linear in
    both: of all solutions of least squares the one closest to the identity is taken, if it brings ``b`` closer. It is taken
    again from where it has brought ``b``, as long as that gains a digit: what is left is rounding of its own size.

    Args:
        symmetry: The symmetry.
        a: The target.
        b: What is moved; not modified.
        factors: Factors of ``GL(n)``; others whose wires meet these wires are fitted with them.

    References:
        Fong, Saunders. LSMR: an iterative algorithm for sparse least-squares problems. SIAM J. Sci. Comput. 2011.
    """
    found, before = Element(symmetry), gap(a, b)
    for _ in range(_PASSES):
        step = _step(symmetry, a, found(b), factors)
        after = gap(a, (step @ found)(b))
        if not after < before:
            break
        found = normal_form(symmetry, step @ found)
        if after > 0.1 * before:
            break
        before = after
    return found


def _step(symmetry: Symmetry, a: Params, b: Params, factors: Sequence[Factor]) -> Element:
    """Return the maps of one solution, or nothing if it brings ``b`` no closer."""
    names = set(counted(a, STATISTICS))
    factors = _with_neighbours(symmetry, factors)
    places = [(k, x) for k, f in enumerate(factors) for x in f.bindings if isinstance(x, Binding) and x.tensor in names]
    tensors = list(dict.fromkeys(x.tensor for _, x in places))
    shapes = [(*f.batch, f.group.size, f.group.size) for f in factors]
    sizes = [int(np.prod(s)) for s in shapes]
    if not tensors:
        return Element(symmetry)
    wide_a, wide_b = ({n: p[n].double().cpu() for n in tensors} for p in (a, b))

    def split(v: Tensor) -> list[Tensor]:
        return [x.reshape(s) for x, s in zip(v.split(sizes), shapes, strict=True)]

    def image(v: Tensor) -> Tensor:
        """Return :math:`X b - a Y` of all tensors, for small changes ``X`` of maps and ``Y`` of dual ones."""
        out: Params = {}
        for (k, x), value in ((place, split(v)[place[0]]) for place in places):
            source, matrix = (wide_a[x.tensor], -value.mT) if x.dual else (wide_b[x.tensor], value)
            near = matrix + torch.eye(matrix.shape[-1], dtype=matrix.dtype)
            part = replace(x, power=Fraction(1)).apply(factors[k].group, near, source) - source
            out[x.tensor] = out[x.tensor] + part if x.tensor in out else part
        return torch.cat([out[n].flatten() for n in tensors])

    zero = torch.zeros(sum(sizes), dtype=torch.float64)
    pull = torch.func.vjp(image, zero)[1]
    right = torch.cat([(wide_a[n] - wide_b[n]).flatten() for n in tensors])

    def forward(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return image(torch.from_numpy(v)).numpy()

    def backward(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return pull(torch.from_numpy(v))[0].numpy()

    shape = (len(right), len(zero))
    operator = LinearOperator(shape, forward, backward, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    best, least = Element(symmetry), gap(a, b)
    for damp in DAMPING:
        found = _solution(operator, right.numpy(), damp)
        maps = [x + torch.eye(x.shape[-1], dtype=x.dtype) for x in split(torch.from_numpy(found))]
        if all(bool((torch.linalg.cond(g) < LIMIT).all()) for g in maps):
            element = Element(symmetry, tuple(Move(f.id, g) for f, g in zip(factors, maps, strict=True)))
            element = element.to(device=b[tensors[0]].device)
            value = gap(a, element(b))
            if value < least:
                best, least = element, value
    return best


def _solution(operator: LinearOperator, right: NDArray[np.float64], damp: float) -> NDArray[np.float64]:
    """Return the solution of least squares that is closest to zero: in closed form where the system is small."""
    rows, columns = operator.shape
    if rows * columns > _DENSE:
        return lsmr(operator, right, damp=damp, atol=PRECISION, btol=PRECISION, conlim=0, maxiter=20 * columns)[0]
    matrix = np.stack([operator.matvec(one) for one in np.eye(columns)], 1)
    padded = np.concatenate([matrix, damp * np.eye(columns)]), np.concatenate([right, np.zeros(columns)])
    return np.asarray(np.linalg.lstsq(*(padded if damp else (matrix, right)), rcond=PRECISION)[0], np.float64)


def _with_neighbours(symmetry: Symmetry, factors: Sequence[Factor]) -> list[Factor]:
    """Return factors of invertible maps and all those that share tensors with them, directly or through others."""
    left = [f for f in symmetry.factors if is_noncompact(f) and f.group.mixes]
    found = [f for f in left if f in factors]
    for factor in found:
        near = [f for f in left if f not in found and {*f.tensors} & {*factor.tensors}]
        found.extend(near)
    return found
