r"""Flat directions that constants leave of linear wires.

Where some entries of the weights around a wire with the symmetry :math:`GL(n)` are constants, its matrices no longer act: a
matrix that keeps the constants at one point changes them at another. What stays is linear algebra at a point. The matrices
:math:`A` with

.. math:: (A W)_{\text{frozen}} = 0 \ \text{in every writer}, \qquad (V A)_{\text{frozen}} = 0 \ \text{in every reader}

are directions in which the function stands still, as long as one does not go far. Their number is the same at almost all
points, so it is taken at random ones, with the real constants. It is no group, and so no factor of a symmetry: only a number.

All continuous factors of the model without the constants take part together, because a weight between two wires couples them
and because biases move along: directions are the :math:`\xi` of the Lie algebra whose tangent :math:`\xi\theta` vanishes at all
frozen entries, up to those with :math:`\xi\theta = 0`. Their number is :math:`\operatorname{rank}(\xi \mapsto \xi\theta) -
\operatorname{rank}(\xi \mapsto (\xi\theta)_{\text{frozen}})`; those of the factors that are still there are subtracted.

That takes a matrix with a row for every dimension of the algebra. Where it would be too large, every wire is looked at alone,
all else being held: the rows of :math:`A` are independent of each other in the writers, its columns in the readers. What comes
out is a lower bound, and says so. A counterexample to counting equations instead: with constants of zero all diagonal matrices
stay.
"""

from collections.abc import Iterable
from math import prod

import torch
from torch import Tensor

from parasym.core import Params, child_generator
from parasym.find.assemble import Assembly
from parasym.find.ground import Ground
from parasym.find.level import channelwise_wires, mixable_wires
from parasym.find.masked import Masked, unmasked
from parasym.find.translation import translations
from parasym.find.typing import infer_types
from parasym.groups import AbstractGroup
from parasym.rules.program import Program, operands
from parasym.symmetry import Binding, Factor, FlatDirections, Shift, tangents

LIMIT = 1_500
"""Dimensions of an algebra that are counted together at most; of one wire alone, at most four times as many unknowns."""
_ROOM = 1 << 24
"""Entries of the largest matrix."""
_SMALL = 1e-7


def flat_directions(program: Program, found: Iterable[Factor]) -> FlatDirections | None:
    """Return how many directions constants leave of the linear wires of a model, ``None`` if no parameter has constants.

    Args:
        program: The lowered model.
        found: The factors that are still there with the constants.
    """
    free, masked = unmasked(program)
    if not masked:
        return None
    ground = Ground(infer_types(free))
    used = {x.index for step in free.code for x in operands(step)}
    borne = {
        wire
        for v in free.values
        if v.leaf and v.index in used
        for axis in ground.types.axes[v.index]
        for wire in ground.types.wires(axis)
    }
    if not borne & (mixable_wires(ground, channelwise_wires(ground)) | ground.types.planes):
        return FlatDirections(0)
    assembly = Assembly(ground)
    continuous, _ = assembly.linear_factors()
    factors = [f for f in (*translations(assembly.ground, assembly.leaves).factors, *continuous) if f.dimension]
    params = _generic({v.name: v.shape for v in assembly.leaves}, masked)
    total, exact = 0, True
    for part in _connected(factors):
        if not any(_mixes(f.group) for f in part):
            continue
        names = {name for f in part for name in f.tensors}
        kept = [f for f in found if f.dimension and set(f.tensors) <= names]
        size = sum(f.dimension for f in (*part, *kept))
        if size <= LIMIT and size * sum(params[name].numel() for name in names) <= _ROOM:
            total += _together(part, kept, params, masked)
        else:
            exact = False
            total += sum(_alone(f, params, masked) for f in part if f not in kept)
    return FlatDirections(total, exact)


def _generic(shapes: dict[str, tuple[int, ...]], masked: dict[str, Masked]) -> Params:
    """Return a random point with the real constants in it."""
    out: Params = {}
    for name, shape in shapes.items():
        source = child_generator(0, f"{name}:generic")
        x = torch.randn(shape, generator=source, dtype=torch.float64)
        out[name] = x if len(shape) > 1 else 0.5 + x.abs()  # variances are positive
        if name in masked:
            out[name] = torch.where(masked[name].free, out[name], masked[name].constants.to(x))
    return out


def _connected(factors: list[Factor]) -> list[list[Factor]]:
    """Return the factors in groups that share no tensors."""
    parts: list[tuple[set[str], list[Factor]]] = []
    for factor in factors:
        names = set(factor.tensors)
        touching = [part for part in parts if part[0] & names]
        parts = [part for part in parts if not part[0] & names]
        parts.append((names.union(*(n for n, _ in touching)), [*(f for _, fs in touching for f in fs), factor]))
    return [part for _, part in parts]


def _mixes(group: AbstractGroup) -> bool:
    """Whether a continuous group acts by more than numbers for every channel, as translations and scalings do."""
    return group.dimension > 0 and (group.element_ndim > 1 or group.length > group.size)


# -- all factors of a part together -------------------------------------------------------------------


def _together(part: list[Factor], kept: list[Factor], params: Params, masked: dict[str, Masked]) -> int:
    names = sorted({name for f in (*part, *kept) for name in f.tensors})
    every = _tangents(part, params, names)
    frozen = torch.cat(
        [~masked[n].free.flatten() if n in masked else torch.zeros(params[n].numel(), dtype=torch.bool) for n in names]
    )
    still = _tangents(kept, params, names)
    return max(0, _rank(every) - _rank(every[:, frozen]) - _rank(still))


def _tangents(factors: Iterable[Factor], params: Params, names: list[str]) -> Tensor:
    """Return the tangents of all generators, of about unit length, one a row."""
    rows = []
    for factor in factors:
        slopes = tangents(factor, params)
        zeros = torch.zeros(factor.dimension, 1, dtype=torch.float64)
        rows.append(
            torch.cat(
                [slopes[n].reshape(factor.dimension, -1) if n in slopes else zeros.expand(-1, params[n].numel()) for n in names],
                1,
            )
        )
    stack = torch.cat(rows) if rows else torch.zeros(0, sum(params[n].numel() for n in names), dtype=torch.float64)
    return stack / torch.linalg.vector_norm(stack, dim=1, keepdim=True).clamp(min=1e-12)


def _rank(rows: Tensor) -> int:
    if 0 in rows.shape:
        return 0
    sizes = torch.linalg.svdvals(rows)
    return int((sizes > _SMALL * max(1.0, float(sizes[0]))).sum())


# -- a wire alone ------------------------------------------------------------------------------------


def _alone(factor: Factor, params: Params, masked: dict[str, Masked]) -> int:
    r"""Return a lower bound for the directions that a factor has alone.

    With the channels of the wire last, a writer is a matrix :math:`M` that goes to :math:`M A^\top`: column :math:`i` has the
    equations :math:`M_r A_i^\top = 0` of its frozen entries :math:`(r, i)`. A reader goes to :math:`-M A`, and so asks the
    columns of :math:`A`.
    """
    if any(isinstance(b, Shift) for b in factor.bindings):
        return factor.dimension if not any(name in masked for name in factor.tensors) else 0
    if factor.group.dimension != factor.group.length**2:
        return 0
    n, total = factor.group.length, 0
    for part in range(prod(factor.batch)):
        rows, columns = ([_equations(factor, part, params, masked, i, dual=dual) for i in range(n)] for dual in (False, True))
        bases = [_null_space(equations) for equations in rows]
        if any(basis.shape[1] for basis in bases):
            total += _with_columns(bases, columns)
    return total


def _equations(factor: Factor, part: int, params: Params, masked: dict[str, Masked], channel: int, *, dual: bool) -> Tensor:
    """Return what the frozen entries of one channel of a slice ask for, one equation a row."""
    found = [torch.zeros(0, factor.group.length, dtype=torch.float64)]
    for binding in factor.bindings:
        if isinstance(binding, Binding) and binding.tensor in masked and binding.dual is dual:
            matrix, free = (binding.gather(x) for x in (params[binding.tensor], masked[binding.tensor].free))
            matrix, free = (x.reshape(-1, *x.shape[-2:])[part] for x in (matrix, free))
            found.append(matrix[~free[:, channel]])
    return torch.cat(found)


def _null_space(equations: Tensor) -> Tensor:
    """Return an orthonormal basis, one vector a column."""
    _, sizes, vh = torch.linalg.svd(equations, full_matrices=True)
    return vh[int((sizes > _SMALL * sizes.max()).sum()) if len(sizes) else 0 :].mT


def _with_columns(bases: list[Tensor], columns: list[Tensor]) -> int:
    """Return the dimension of the matrices whose rows lie in given spaces and whose columns solve given equations."""
    sizes = [basis.shape[1] for basis in bases]
    unknowns, equations = sum(sizes), sum(len(column) for column in columns)
    if unknowns > 4 * LIMIT or unknowns * equations > 4 * _ROOM:
        return max(0, unknowns - equations)
    # Entry (i, j) of the matrix is basis_i[j] . c_i, and an equation v on column j reads sum_i v_i basis_i[j] . c_i.
    blocks = [torch.cat([v[:, i : i + 1] * basis[j] for i, basis in enumerate(bases)], 1) for j, v in enumerate(columns)]
    return unknowns - _rank(torch.cat(blocks))
