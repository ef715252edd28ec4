"""Bags of rows of a table: summed, averaged, or the largest entries taken."""

from itertools import pairwise

from parasym.rules.builder import Builder
from parasym.rules.fixed_axes import depends_on
from parasym.rules.indexing import embedding
from parasym.rules.program import Fn, Kind, Value
from parasym.rules.rule import Rule

_MEAN, _MAX = 1, 2


def _bag(
    b: Builder,
    weight: Value,
    index: Value,
    offsets: Value,
    scale_grad: bool = False,
    mode: int = 0,
    sparse: bool = False,
    each: Value | None = None,
    last_offset: bool = False,
    padding: int | None = None,
) -> tuple[Value, ...]:
    r""":math:`y_{b d} = \sum_{i \in b} w_i E_{t_i d}`, a mean or a maximum: tokens and bags are pinned, features pass.

    A bag that is empty, or full of padding, is zero, whatever is added to the table: only where there can be none does a constant
    pass through a mean or a maximum.

    Returns:
        The bags, where each entry went, how many it has, and where its largest entries are.
    """
    b.pin(offsets, reason="bags that the model computes are not followed" if depends_on(b, offsets) == "model" else "")
    b.by(offsets)
    rows = embedding(b, weight, index, -1 if padding is None else padding)
    if each is not None:
        rows = b.mul(rows, b.reshape(each, [*each.shape, 1]))
    shape = [offsets.shape[0] - bool(last_offset), weight.shape[1]]
    full = (padding is None or padding < 0) and _no_bag_is_empty(offsets, index.shape[0], last_offset=last_offset)
    fn = "max" if mode == _MAX else "linear"
    out = b.fixed(rows, shape, [(1, 1)], averaging=full and mode == _MEAN, fn=fn)
    if mode == _MAX and not full:
        out = b.pointwise(Fn.HOMOGENEOUS, out)
    where = b.fixed(rows, shape, [(1, 1)], fn="max", real=False)
    counts = [b.filled(n, real=False) for n in (index.shape, offsets.shape)]
    return out, *counts, where


def _no_bag_is_empty(offsets: Value, length: int, *, last_offset: bool) -> bool:
    if offsets.kind is not Kind.CONSTANT or offsets.data is None:
        return False
    starts = [int(k) for k in offsets.data.tolist()]
    ends = starts if last_offset else [*starts, length]
    return all(first < second for first, second in pairwise(ends))


RULES = (Rule(("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only"), _bag),)
