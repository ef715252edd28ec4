"""Products of groups of rows with a matrix each, such as tokens with the experts that they were sent to."""

from parasym.rules.builder import Builder
from parasym.rules.indexing import links, numbered
from parasym.rules.program import Value
from parasym.rules.rule import Rule, Unsupported


def _grouped_mm(b: Builder, x: Value, weight: Value, ends: Value | None = None, bias: Value | None = None, *_: object) -> Value:
    r""":math:`y_{t o} = \sum_i x_{t i} W_{e(t) i o}`: rows and the groups they belong to are pinned, ``i`` meets its dual.

    Which group a row belongs to is told by where groups end, which must not change.

    Returns:
        The rows, each multiplied by the matrix of its group.

    Raises:
        Unsupported: If it is another kind of grouped product.
    """
    if ends is None or len(x.shape) != 2 or len(weight.shape) != 3 or bias is not None:
        raise Unsupported("a grouped product of other than rows with stacked matrices, or one with a bias")
    reason = numbered(b, ends)
    shape = [x.shape[0], *weight.shape[1:]]
    own = b.fixed(weight, shape, [(1, 1), (2, 2)], reason=reason, coarse=links(reason, (0,), (0,)))
    return b.contract(x, own, "ti,tio->to")


def _histogram(b: Builder, x: Value, bins: int = 100, *_: object, **__: object) -> Value:
    """Counts of what falls between fixed numbers: entries may change places, and the bins are told apart."""
    every = b.reshape(b.reduce("generic", x, range(len(x.shape))), [1])
    return b.fixed(every, [bins], [], fn="generic")


RULES = (
    Rule(("_grouped_mm", "grouped_mm_fallback"), _grouped_mm),
    Rule(("histc",), _histogram),
)
