"""ATen operations on single numbers, one entry per operation, for the scalar graph.

Index conventions: ``i`` row, ``k`` contracted, ``j`` column; values are integer tensors of node numbers.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from parasym.verify.scalar_graph import ScalarGraph

aten = torch.ops.aten

# Operations that only move numbers around act on node numbers as they do on numbers.
MOVES = (
    *(aten.view, aten._unsafe_view, aten.reshape, aten.permute, aten.t, aten.transpose, aten.expand, aten.slice, aten.select),
    *(aten.unsqueeze, aten.squeeze, aten.cat, aten.stack, aten.split, aten.split_with_sizes, aten.clone, aten.alias),
    *(aten.repeat, aten.index, aten.index_select, aten.detach, aten.unbind, aten.flip, aten.roll, aten.gather, aten.diagonal),
    *(aten.where, aten.embedding, aten.unfold, aten.constant_pad_nd),
)
COPIES = (aten._to_copy, aten.to, aten.lift_fresh_copy, aten.dropout, aten.native_dropout)
COMMUTATIVE = (aten.add, aten.mul, aten.maximum, aten.minimum)


def contract(graph: ScalarGraph, a: Tensor, b: Tensor) -> Tensor:
    """Return the matrix product of ``[i, k]`` and ``[k, j]``.

    Args:
        graph: Where nodes are made.
        a: Nodes of shape ``[i, k]``.
        b: Nodes of shape ``[k, j]``.
    """
    rows, columns = a.tolist(), b.T.tolist()
    out = [[graph.total([graph.product([x, y]) for x, y in zip(r, c, strict=True)]) for c in columns] for r in rows]
    return torch.tensor(out, dtype=torch.int64).reshape(len(rows), len(columns))


def plus(graph: ScalarGraph, a: Tensor, b: Tensor | None) -> Tensor:
    """Return the broadcast sum.

    Args:
        graph: Where nodes are made.
        a: Nodes.
        b: Nodes, or nothing to add.
    """
    return a if b is None else zipped(lambda *xs: graph.total(list(xs)), a, b)


def times(graph: ScalarGraph, a: Tensor, b: Tensor | None) -> Tensor:
    """Return the broadcast product.

    Args:
        graph: Where nodes are made.
        a: Nodes.
        b: Nodes, or nothing to multiply by.
    """
    return a if b is None else zipped(lambda *xs: graph.product(list(xs)), a, b)


def zipped(make: Callable[..., int], *tensors: Tensor) -> Tensor:
    """Return ``make`` applied to every tuple of broadcast entries.

    Args:
        make: Makes a node of nodes.
        *tensors: Nodes.
    """
    wide = torch.broadcast_tensors(*tensors)
    flat = [make(*entry) for entry in zip(*(t.reshape(-1).tolist() for t in wide), strict=True)]
    return torch.tensor(flat, dtype=torch.int64).reshape(wide[0].shape)


def reduced(make: Callable[[tuple[int, ...]], int], x: Tensor, dims: list[int] | int | None, *, keepdim: bool = False) -> Tensor:
    """Return ``make`` applied to every slice along ``dims``.

    Args:
        make: Makes a node of many.
        x: Nodes.
        dims: The axes to reduce; all of them if empty or ``None``.
        keepdim: Whether to keep them with length one.
    """
    axes = [d % x.ndim for d in ([dims] if isinstance(dims, int) else dims or range(x.ndim))]
    rest = [d for d in range(x.ndim) if d not in axes]
    slices = x.permute(*rest, *axes).reshape(prod(x.shape[d] for d in rest), -1).tolist()
    out = torch.tensor([make(tuple(s)) for s in slices], dtype=torch.int64)
    return out.reshape([1 if d in axes else n for d, n in enumerate(x.shape) if keepdim or d not in axes])


def normalized(graph: ScalarGraph, x: Tensor, dims: list[int], kind: Any) -> Tensor:
    """Return every entry standardized by the moments of its slice.

    Args:
        graph: Where nodes are made.
        x: Nodes.
        dims: The axes of a slice.
        kind: What to call the operation.
    """
    moments = reduced(lambda s: graph.node(("moments", kind), s), x, dims, keepdim=True)
    return zipped(lambda a, m: graph.ordered(("standardize", kind), (a, m)), x, moments)


def _matmul(graph: ScalarGraph, a: Tensor, b: Tensor) -> Tensor:
    return contract(graph, a, b)


def _addmm(graph: ScalarGraph, bias: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return plus(graph, contract(graph, a, b), bias)


def _bmm(graph: ScalarGraph, a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([contract(graph, x, y) for x, y in zip(a, b, strict=True)])


def _sum(graph: ScalarGraph, x: Tensor, dim: list[int] | None = None, keepdim: bool = False, **_: Any) -> Tensor:
    return reduced(lambda s: graph.total(list(s)), x, dim, keepdim=keepdim)


def _mean(graph: ScalarGraph, x: Tensor, dim: list[int] | None = None, keepdim: bool = False, **_: Any) -> Tensor:
    total = _sum(graph, x, dim, keepdim)
    count = x.numel() // total.numel()
    return zipped(lambda a: graph.node(("divide", count), (a,)), total)


def _amax(graph: ScalarGraph, x: Tensor, dim: list[int] | None = None, keepdim: bool = False) -> Tensor:
    return reduced(lambda s: graph.node("maximum", s), x, dim, keepdim=keepdim)


def _softmax(graph: ScalarGraph, x: Tensor, dim: int, *_: Any) -> Tensor:
    return normalized(graph, x, [dim], "softmax")


def _layer_norm(
    graph: ScalarGraph, x: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor]:
    out = normalized(graph, x, list(range(-len(shape), 0)), ("layer norm", eps))
    return (plus(graph, times(graph, out, weight), bias),)


def _batch_norm(graph: ScalarGraph, x: Tensor, *rest: Any) -> tuple[Tensor]:
    weight, bias, mean, var = (None if v is None else v.reshape(-1, *[1] * (x.ndim - 2)) for v in rest[:4])
    if rest[4] is True:
        out = normalized(graph, x, [d for d in range(x.ndim) if d != 1], ("batch norm", rest[-1]))
    else:
        out = zipped(lambda *xs: graph.ordered(("running norm", rest[-1]), xs), x, *(v for v in (mean, var) if v is not None))
    return (plus(graph, times(graph, out, weight), bias),)


def _convolution(graph: ScalarGraph, x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
    stride, padding, dilation, transposed, _, groups = rest
    if transposed or x.ndim not in {3, 4}:
        raise NotImplementedError("transposed or three-dimensional convolution")
    flat = x.ndim == 3
    if flat:
        x, weight, stride, padding, dilation = x.unsqueeze(2), weight.unsqueeze(2), [1, *stride], [0, *padding], [1, *dilation]
    patches = _patches(graph, x, weight.shape[2:], graph.constant(0.0), stride, padding, dilation)
    size = weight.shape[1] * weight.shape[2] * weight.shape[3]
    kernels = weight.reshape(groups, -1, size)
    out = torch.stack(
        [torch.cat([contract(graph, k, p) for k, p in zip(kernels, patch.split(size), strict=True)]) for patch in patches.values]
    )
    out = out.reshape(x.shape[0], -1, *patches.size)
    out = out.squeeze(2) if flat else out
    return plus(graph, out, None if bias is None else bias.reshape(-1, *[1] * (out.ndim - 2)))


class _Patches:
    """Sliding windows: ``values[n]`` of shape ``[channels * window, positions]``, and the size of the result."""

    def __init__(self, values: Tensor, size: list[int]) -> None:
        self.values, self.size = values, size


def _patches(graph: ScalarGraph, x: Tensor, window: Any, outside: int, stride: Any, padding: Any, dilation: Any) -> _Patches:
    stride, padding, dilation = (list(v) * (2 // len(v)) for v in (stride, padding, dilation))
    padded = functional.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=outside)
    values = functional.unfold(padded.double(), tuple(window), tuple(dilation), 0, tuple(stride)).long()
    lengths = zip(padded.shape[2:], window, stride, dilation, strict=True)
    return _Patches(values, [(n - d * (w - 1) - 1) // s + 1 for n, w, s, d in lengths])


def _max_pool(graph: ScalarGraph, x: Tensor, window: list[int], *rest: Any) -> tuple[Tensor]:
    stride, padding, dilation = (*rest[:3], *([], [0], [1])[len(rest[:3]) :])
    batch, channels = x.shape[:2]
    outside = graph.node("nothing", ())
    patches = _patches(graph, x.reshape(batch * channels, 1, *x.shape[2:]), window, outside, stride or window, padding, dilation)
    out = reduced(lambda s: graph.node("maximum", tuple(v for v in s if v != outside)), patches.values, [1])
    return (out.reshape(batch, channels, *patches.size),)


OPERATIONS: dict[Any, Callable[..., Any]] = {
    aten.mm: _matmul,
    aten.addmm: _addmm,
    aten.bmm: _bmm,
    aten.sum: _sum,
    aten.mean: _mean,
    aten.amax: _amax,
    aten._softmax: _softmax,
    aten._log_softmax: _softmax,
    aten.native_layer_norm: _layer_norm,
    aten._native_batch_norm_legit_no_training: lambda g, x, w, b, m, v, _, eps: _batch_norm(g, x, w, b, m, v, False, eps),
    aten._native_batch_norm_legit_functional: lambda g, x, w, b, m, v, t, _, eps: _batch_norm(g, x, w, b, m, v, t, eps),
    aten.convolution: _convolution,
    aten.max_pool2d_with_indices: _max_pool,
}
