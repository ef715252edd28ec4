"""Softmax and attention: queries meet keys, and the weights over positions sum to one."""

from parasym.rules.builder import Builder
from parasym.rules.program import Expand, Fn, Pointwise, Reshape, Value
from parasym.rules.random import dropped
from parasym.rules.rule import Rule


def _softmax(b: Builder, x: Value, dim: int, *_: object, **__: object) -> Value:
    return b.softmax(x, dim)


def _safe_softmax(b: Builder, x: Value, dim: int, *_: object, **__: object) -> Value:
    """A softmax that is zero where everything is minus infinity."""
    step = b.producers.get(x.index)
    out = b.softmax(x, dim)
    if isinstance(step, Pointwise) and any(v.index in b.data_only and _may_hide_all(b, v) for v in step.xs):
        return b.pointwise(Fn.HOMOGENEOUS, out)
    return out


def _log_softmax(b: Builder, x: Value, dim: int, *_: object, **__: object) -> Value:
    return b.softmax(x, dim, log=True)


def _attention(
    b: Builder,
    q: Value,
    k: Value,
    v: Value,
    mask: Value | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    r""":math:`\mathrm{softmax}_s(q_t \cdot k_s / \sqrt d + m_{ts})\, v_s`, with key-value heads repeated for grouped queries."""
    if enable_gqa and k.shape[-3] != q.shape[-3]:
        k, v = (_repeat_heads(b, x, q.shape[-3] // x.shape[-3]) for x in (k, v))
    lead = "abcdefgh"[: len(q.shape) - 2]
    scores = b.contract(q, k, f"{lead}td,{lead}sd->{lead}ts")
    if causal:
        scores = b.add(scores, b.pointwise(Fn.GENERIC, b.earlier(*scores.shape[-2:])))
    if mask is not None:
        if mask.real:
            scores = b.add(scores, mask)
        else:
            scores = b.add(scores, b.pointwise(Fn.GENERIC, mask))
    weights = b.softmax(scores, -1)
    if mask is not None and _may_hide_all(b, mask):
        weights = b.pointwise(Fn.HOMOGENEOUS, weights)  # where all is hidden the weights are zero, not a mean
    if dropout > 0:
        weights = dropped(b, weights)  # they no longer sum to one
    return b.contract(weights, v, f"{lead}ts,{lead}sd->{lead}td")


def _may_hide_all(b: Builder, mask: Value) -> bool:
    """Whether a mask may hide every key of some query; one whose numbers are not known may."""
    while isinstance(step := b.producers.get(mask.index), (Expand, Reshape)):
        mask = step.x
    if mask.data is None:
        return True
    seen = mask.data > -float("inf") if mask.real else mask.data
    return seen.ndim > 0 and not bool(seen.any(-1).all())


def _repeat_heads(b: Builder, x: Value, times: int) -> Value:
    *lead, heads, length, dim = x.shape
    wide = b.expand(b.reshape(x, [*lead, heads, 1, length, dim]), [*lead, heads, times, length, dim])
    return b.reshape(wide, [*lead, heads * times, length, dim])


def _with_log(b: Builder, q: Value, k: Value, v: Value, *args: object, **kwargs: object) -> tuple[Value, Value]:
    mask = next((a for a in (*args, *kwargs.values()) if isinstance(a, Value)), None)
    causal = any(a is True for a in (*args, *kwargs.values()))
    dropout = next((a for a in args if isinstance(a, float)), 0.0)
    out = _attention(b, q, k, v, mask, dropout, causal, enable_gqa=True)
    log = b.value(q.shape[:-1])
    b.pin(log)
    return out, log


RULES = (
    Rule(("softmax", "_softmax"), _softmax),
    Rule(("_safe_softmax",), _safe_softmax),
    Rule(("log_softmax", "_log_softmax"), _log_softmax),
    Rule(("scaled_dot_product_attention",), _attention),
    Rule(("_scaled_dot_product_flash_attention_for_cpu",), _with_log),
)
