"""Random numbers that follow what they act on, so that a random model can be compared with itself.

Dropout keeps a law, not a value: exchange two channels, and the mask of one falls on the other. Here whatever is drawn for an
entry is a smooth function of that entry alone, the same for every entry, so that it moves along when entries change places. The
function does not see signs, nor factors that are common to a slice. If the outputs are then
equal, so are their laws: what was drawn for the one point is a rearrangement of what was drawn for the other, and independent
draws have the law of their rearrangements. A map that mixes channels is found out, since it changes what is drawn.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_WAVES = 17.0
"""How fast the numbers vary with the shares: enough that neighbours have little in common, little against rounding."""

_ROUNDS = 100
"""How often rows and columns are brought to mean one, in turns: until it makes no difference (Sinkhorn 1964)."""


class FollowingDraws(TorchFunctionMode):
    """Draws by a function of the entries wherever an operation draws one number for every entry, or channel, of its operand.

    Operations that draw in another way, such as ``torch.rand`` of a shape, draw as ever.

    Attributes:
        seen: Names of the operations that drew.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func is functional.multi_head_attention_forward:
            inner: dict[str, Any] = {name: self._of(name) for name in ("dropout", "scaled_dot_product_attention")}
            with mock.patch.multiple(functional, **inner):  # it is Python, whose calls no mode sees
                return func(*args, **(kwargs or {}))
        name = _name(func)
        drawn = _DRAWS[name](*args, **(kwargs or {})) if name in _DRAWS else None
        if drawn is None:
            return func(*args, **(kwargs or {}))
        self.seen.add(name)
        return drawn

    def _of(self, name: str) -> Callable[..., Any]:
        plain = getattr(functional, name)
        return lambda *args, **kwargs: self.__torch_function__(plain, (), args, kwargs)


def uniform(x: Tensor) -> Tensor:
    """Return a number between 0 and 1 for every entry, a function of its share of the tensor.

    Factors common to slices along the first axis do not change the shares, nor, where no entry is zero, factors
    of the first axis itself. With a single slice, all shares and all numbers are the same.

    Args:
        x: Any tensor.

    Example:
        >>> x = torch.tensor([[1.0, 2.0, 3.0], [2.0, -1.0, 5.0]], dtype=torch.float64)
        >>> uniform(x)[0]
        tensor([...], dtype=torch.float64)
        >>> moved = (x * torch.tensor([2.0, -3.0, 0.5])).flip(1)
        >>> bool((uniform(moved) - uniform(x).flip(1)).abs().max() < 1e-12)
        True
    """
    share = x.detach().abs().reshape(len(x) if x.ndim else 1, -1)
    if bool((share > 0).all()):
        for _ in range(_ROUNDS):
            share = share / share.mean(1, keepdim=True)
            share = share / share.mean(0)
    else:
        share = share / share.mean(0).clamp(min=torch.finfo(share.dtype).tiny)
    return ((1 + (_WAVES * share).sin()) / 2).reshape(x.shape)


def _mask(x: Tensor, p: float) -> Tensor:
    """Return a mask of mean one: whether its numbers are zero and one does not matter to what passes it."""
    return 2 * uniform(x) if p < 1 else torch.zeros_like(x)


def _written(x: Tensor, out: Tensor, inplace: bool) -> Tensor:
    return x.copy_(out) if inplace else out


def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, **named: Any) -> Tensor | None:
    return _written(input, input * _mask(input, p), inplace) if named.get("train", training) and p > 0 else None


def _native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor] | None:
    out = _dropout(input, p, bool(train))
    return None if out is None else (out, torch.ones_like(out, dtype=torch.bool))


def _features(x: Tensor, dims: int | None) -> Tensor:
    """Return one number per sample and channel, in a shape that multiplies ``x``."""
    alone = dims is not None and x.ndim == dims + 1 and not (dims == 2 and x.ndim == 3)  # a single sample
    batch = x[None] if alone else x
    out = torch.linalg.vector_norm(batch.flatten(2), dim=-1) if batch.ndim > 2 else batch
    out = out.reshape(*out.shape, *[1] * (batch.ndim - 2))
    return out[0] if alone else out


def _feature_dropout(dims: int | None) -> Callable[..., Tensor | None]:
    def draw(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, **named: Any) -> Tensor | None:
        if not named.get("train", training) or p <= 0:
            return None
        return _written(input, input * _mask(_features(input, dims), p), inplace)

    return draw


def _alpha_dropout(*, features: bool) -> Callable[..., Tensor | None]:
    def draw(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, **named: Any) -> Tensor | None:
        if not named.get("train", training) or p <= 0:
            return None
        mask = _mask(_features(input, None) if features else input, p)
        return _written(input, input * mask - 1.7580993408473766 * (1 - mask), inplace)  # what SELU saturates at

    return draw


def _rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool | None = False, **_: Any
) -> Tensor | None:
    if not training:
        return None
    return _written(input, torch.where(input > 0, input, input * (lower + (upper - lower) * uniform(input))), inplace is True)


def _rrelu_with_noise(
    input: Tensor, noise: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *_: Any
) -> Tensor | None:
    return _rrelu(input, lower, upper, training)


def _rrelu_functional(input: Tensor, noise: Tensor, *rest: Any) -> tuple[Tensor, Tensor] | None:
    out = _rrelu_with_noise(input, noise, *rest)
    return None if out is None else (out, noise)


def _bernoulli(input: Tensor, *more: Any, **named: Any) -> Tensor | None:
    """Return zeros and ones; a probability is its own sign and scale."""
    if more or named.get("p") is not None:
        return None
    return ((1 + (_WAVES * input.detach()).sin()) / 2 < input).to(input)


def _normal(input: Tensor, **named: Any) -> Tensor:
    return 2**0.5 * (2 * uniform(input) - 1).to(named.get("dtype") or input.dtype)


def _uniform(input: Tensor, **named: Any) -> Tensor:
    return uniform(input).to(named.get("dtype") or input.dtype)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **named: Any,
) -> Tensor | None:
    """The weights are what attention makes of the unit vectors."""
    if dropout_p <= 0:
        return None
    length, heads = key.shape[-2], query.shape[:-2]
    unit = torch.eye(length, dtype=query.dtype, device=query.device).expand(*key.shape[:-2], length, length)
    weights = functional.scaled_dot_product_attention(query, key, unit, attn_mask, 0.0, is_causal, **named)
    if named.get("enable_gqa") and value.ndim > 2 and value.shape[-3] != heads[-1]:
        value = value.repeat_interleave(heads[-1] // value.shape[-3], -3)
    return (weights * _mask(weights, dropout_p)) @ value


def _recurrent(name: str) -> Callable[..., tuple[Tensor, ...] | None]:
    """Layer by layer, with what is drawn between two of them."""
    run = getattr(torch, name)

    def draw(
        x: Tensor,
        initial: Any,
        weights: Any,
        biases: bool,
        layers: int,
        p: float,
        train: bool,
        both_ways: bool,
        batch_first: bool,
    ) -> tuple[Tensor, ...] | None:
        if not isinstance(weights, (list, tuple)) or not train or p <= 0 or layers < 2:
            return None
        several = not isinstance(initial, Tensor)
        states = list(initial) if several else [initial]
        n, each = 1 + both_ways, len(weights) // layers
        last = []
        for k in range(layers):
            own = [h[k * n : (k + 1) * n] for h in states]
            start = own if several else own[0]
            x, *end = run(x, start, weights[k * each : (k + 1) * each], biases, 1, 0.0, train, both_ways, batch_first)
            last.append(end)
            x = x * _mask(x, p) if k < layers - 1 else x
        return x, *map(torch.cat, zip(*last, strict=True))

    return draw


_DRAWS: dict[str, Callable[..., Any]] = {
    "dropout": _dropout,
    "native_dropout": _native_dropout,
    "feature_dropout": _feature_dropout(None),
    **{f"dropout{dims}d": _feature_dropout(dims) for dims in (1, 2, 3)},
    "alpha_dropout": _alpha_dropout(features=False),
    "feature_alpha_dropout": _alpha_dropout(features=True),
    "rrelu": _rrelu,
    "rrelu_with_noise": _rrelu_with_noise,
    "rrelu_with_noise_functional": _rrelu_functional,
    "bernoulli": _bernoulli,
    "randn_like": _normal,
    "rand_like": _uniform,
    "scaled_dot_product_attention": _attention,
    **{name: _recurrent(name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}
"""How to draw, by the name of the operation; ``None`` comes back where nothing is drawn."""


def _name(func: Any) -> str:
    if isinstance(func, torch._ops.OpOverload):
        return func._schema.name.split("::")[-1].rstrip("_")
    return getattr(func, "__name__", "").rstrip("_")
