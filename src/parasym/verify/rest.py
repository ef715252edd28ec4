"""The null directions that a symmetry leaves unexplained, sorted by kind."""

import torch
from torch import Tensor

from parasym.verify.jacobian import Jacobian
from parasym.verify.report import Rest

_INDEPENDENT = 1e-6
_SHARE = 0.01


def rest_by_kind(jac: Jacobian, explained: Tensor) -> tuple[Rest, ...]:
    r"""Return the part of the null space that ``explained`` does not span, by kind.

    * "unused parameter": no output depends on the tensor, or on entries of a vector.
    * "dead unit": no output depends on one whole slice of a matrix, with its bias (a ReLU that never
      fires, a token that never occurs).
    * "frozen entry": no output depends on a single entry of a matrix, as behind a mask.
    * "unreachable input directions": :math:`\delta W = u v^\top` (and :math:`\delta b = c\,u`) with
      :math:`v \cdot h + c = 0` for every input :math:`h` that the layer gets.
    * "unexplained": the remainder, possibly a symmetry that was not found.

    A direction counts for the first kind that spans it.

    Args:
        jac: The Jacobian.
        explained: Orthonormal columns of shape ``[P, r]`` in the scaled coordinates of ``jac``.
    """
    # Rows of V^T beyond the rank span the null space; the factor may have fewer rows than columns.
    null = torch.linalg.svd(jac.factor, full_matrices=True).Vh[jac.rank.value :].mT
    left = orthonormal(_without(null, explained))
    found: list[Rest] = []
    basis = explained
    for kind, names, candidates in _candidates(jac):
        if basis.shape[1] >= explained.shape[1] + left.shape[1]:
            break
        new = orthonormal(_without(candidates, basis))
        if new.shape[1]:
            found.append(Rest(kind, new.shape[1], names))
            basis = torch.cat([basis, new], dim=1)
    remaining = orthonormal(_without(null, basis))
    if remaining.shape[1]:
        found.append(Rest("unexplained", remaining.shape[1], _bearers(jac, remaining)))
    return _merged(found)


def orthonormal(columns: Tensor) -> Tensor:
    """Return an orthonormal basis of the span of columns of about unit length.

    Args:
        columns: Shape ``[P, m]``.
    """
    if columns.shape[1] == 0:
        return columns
    u, s, _ = torch.linalg.svd(columns, full_matrices=False)
    return u[:, s > _INDEPENDENT]


def _without(columns: Tensor, basis: Tensor) -> Tensor:
    for _ in range(2):  # twice is enough (Kahan, Parlett)
        columns = columns - basis @ (basis.mT @ columns)
    return columns


def _candidates(jac: Jacobian) -> list[tuple[str, tuple[str, ...], Tensor]]:
    kinds = {kind: [] for kind in ("unused parameter", "dead unit", "frozen entry", "unreachable input directions")}
    cut = (jac.rank.above * jac.rank.below) ** 0.5 * float(torch.linalg.matrix_norm(jac.factor, 2))
    blocks = _blocks(jac)
    for name, (start, block) in blocks.items():
        index = start + torch.arange(block[0].numel())
        if float(torch.linalg.vector_norm(block)) < cut:
            kinds["unused parameter"].append((name, _unit(jac, index)))
            continue
        silent = torch.linalg.vector_norm(block, dim=0).reshape(-1) < cut
        if block.ndim == 2:
            weight = blocks.get(_partner(name, "bias", "weight"))
            alive = _alive(weight, len(silent), cut) if weight else torch.ones(len(silent), dtype=torch.bool)
            kinds["unused parameter"].append((name, _unit(jac, index[silent & alive])))
            kinds["dead unit"].append((name, _unit(jac, index[silent & ~alive])))
        else:
            kinds["dead unit"].append((name, _unit(jac, _dead(start, block, cut))))
            kinds["frozen entry"].append((name, _unit(jac, index[silent])))
            bias = blocks.get(_partner(name, "weight", "bias"))
            kinds["unreachable input directions"].append((name, _unreachable(jac, start, block, bias, cut)))
    return [(kind, (name,), columns) for kind, entries in kinds.items() for name, columns in entries if columns.shape[1]]


def _alive(weight: tuple[int, Tensor], units: int, cut: float) -> Tensor:
    block = weight[1]
    if block.shape[1] != units:
        return torch.ones(units, dtype=torch.bool)
    return torch.linalg.vector_norm(block.transpose(0, 1).reshape(units, -1), dim=1) >= cut


def _blocks(jac: Jacobian) -> dict[str, tuple[int, Tensor]]:
    """Return for every tensor its first column and its columns in its own shape, ``[rows, *shape]``."""
    blocks, start = {}, 0
    for name, shape in zip(jac.names, jac.shapes, strict=True):
        part = jac.factor[:, start : start + shape.numel()]
        blocks[name] = (start, part.reshape(-1, *(shape or (1,))))
        start += shape.numel()
    return blocks


def _dead(start: int, block: Tensor, cut: float) -> Tensor:
    index = torch.arange(block[0].numel()).reshape(block.shape[1:])
    dead = torch.zeros(index.shape, dtype=torch.bool)
    for axis in range(2):
        others = [k for k in range(block.ndim) if k != axis + 1]
        silent = torch.linalg.vector_norm(block, dim=others) < cut
        dead |= silent.cpu().reshape([-1 if k == axis else 1 for k in range(index.ndim)])
    return start + index[dead]


def _unreachable(jac: Jacobian, start: int, block: Tensor, bias: tuple[int, Tensor] | None, cut: float) -> Tensor:
    rows, out = block.shape[:2]
    seen = block.reshape(rows, out, -1)
    width = seen.shape[2]
    paired = bias is not None and bias[1].shape[1:] == (out,)
    if paired and bias is not None:
        seen = torch.cat([seen, bias[1].unsqueeze(-1)], dim=2)
    seen = seen.reshape(rows * out, -1)
    _, s, vh = torch.linalg.svd(torch.linalg.qr(seen, mode="r").R if len(seen) > seen.shape[1] else seen)
    null = vh[int((s > cut).sum()) :]
    columns = jac.factor.new_zeros(out, len(null), jac.factor.shape[1])
    for unit in range(out):
        columns[unit, :, start + unit * width : start + (unit + 1) * width] = null[:, :width]
        if paired and bias is not None:
            columns[unit, :, bias[0] + unit] = null[:, width]
    return columns.reshape(-1, jac.factor.shape[1]).mT


def _partner(name: str, this: str, other: str) -> str:
    head, dot, last = name.rpartition(".")
    return head + dot + last.replace(this, other) if this in last else ""


def _unit(jac: Jacobian, index: Tensor) -> Tensor:
    columns = jac.factor.new_zeros(jac.factor.shape[1], len(index))
    columns[index, torch.arange(len(index))] = 1
    return columns


def _bearers(jac: Jacobian, basis: Tensor) -> tuple[str, ...]:
    weights = (basis**2).sum(dim=1).split([s.numel() for s in jac.shapes])
    share = {name: float(w.sum()) / basis.shape[1] for name, w in zip(jac.names, weights, strict=True)}
    return tuple(name for name in sorted(share, key=lambda k: -share[k]) if share[name] > _SHARE)


def _merged(found: list[Rest]) -> tuple[Rest, ...]:
    """Return one entry per kind and tensor set, kinds in order."""
    kinds: dict[str, list[Rest]] = {}
    for rest in found:
        kinds.setdefault(rest.kind, []).append(rest)
    return tuple(
        Rest(
            kind, sum(r.dimension for r in group), tuple(n for r in sorted(group, key=lambda r: -r.dimension) for n in r.tensors)
        )
        for kind, group in kinds.items()
    )
