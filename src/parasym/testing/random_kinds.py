"""The kinds of steps a random model may take, in one table; each returns ``None`` where it does not fit."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.testing.random_parts import (
    Apply,
    Blocks,
    Constant,
    Excitation,
    Experts,
    Gated,
    Heads,
    Masked,
    Recurrence,
    Transposed,
)
from parasym.testing.random_rare import RARE
from parasym.testing.random_step import Choice, Made, another, channels

ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    *(
        nn.ReLU,
        nn.ReLU,
        nn.LeakyReLU,
        nn.PReLU,
        nn.Tanh,
        nn.GELU,
        nn.SiLU,
        nn.Sigmoid,
        nn.ELU,
        nn.ReLU6,
        nn.Softplus,
        nn.Hardswish,
    ),
    *(nn.CELU, nn.Mish, nn.Softsign, nn.Tanhshrink),
    *(partial(Apply, f) for f in (torch.sin, torch.abs, torch.square, torch.neg, torch.cos, torch.atan)),
)
GATES = (torch.sigmoid, functional.silu, functional.gelu, torch.relu, torch.tanh, torch.clone)


def _axis(x: Tensor) -> int:
    return 1 if x.ndim == 4 else -1


def _two(choice: Choice, values: Sequence[Tensor], at: int, function: Callable[..., Tensor]) -> Made:
    other = another(choice, values, at)
    return None if other is None else (Apply(function), (at, other))


def _one(values: Sequence[Tensor], at: int, function: Callable[..., Tensor], *, fits: bool = True) -> Made:
    return (Apply(function), (at,)) if fits else None


def _linear(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    if x.ndim == 4:
        return nn.Conv2d(x.shape[1], choice.width(), choice.pick((1, 3)), padding=1, bias=choice.coin()), (at,)
    return nn.Linear(x.shape[-1], choice.width(), choice.coin(0.7)), (at,)


def _activation(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    return choice.pick(ACTIVATIONS)(), (at,)


def _channel_prelu(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    return (nn.PReLU(values[at].shape[1]), (at,)) if values[at].ndim != 3 else None


def _shared(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    fitting = [layer for layer in choice.layers if layer.in_features == values[at].shape[-1]]
    return (choice.pick(fitting), (at,)) if fitting and values[at].ndim < 4 else None


def _transposed(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    fitting = [layer for layer in choice.layers if layer.out_features == values[at].shape[-1]]
    return (Transposed(choice.pick(fitting)), (at,)) if fitting and values[at].ndim < 4 else None


def _concatenation(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    axis = _axis(values[at])
    other = another(choice, values, at, axis=axis)
    if other is None or channels(values[at]) + channels(values[other]) > 16:
        return None
    return Apply(lambda x, y: torch.cat((x, y), dim=axis)), (at, other)


def _chunk(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    axis, part = _axis(values[at]), choice.integer(0, 1)
    return _one(values, at, lambda x: x.chunk(2, dim=axis)[part], fits=channels(values[at]) >= 8)


def _norm(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x, affine = values[at], choice.coin(0.8)
    width = channels(x)
    if x.ndim == 4:
        several = x.shape[2] * x.shape[3] > 1  # InstanceNorm refuses single pixels
        kinds: list[Callable[[], nn.Module]] = [partial(nn.BatchNorm2d, width, affine=affine)]
        kinds += (
            [partial(nn.GroupNorm, 2, width, affine=affine), partial(nn.InstanceNorm2d, width, affine=affine)]
            if several and width % 2 == 0
            else []
        )
        return choice.pick(kinds)(), (at,)
    kinds = [partial(nn.LayerNorm, width, elementwise_affine=affine), partial(nn.RMSNorm, width, 1e-5, elementwise_affine=affine)]
    if x.ndim == 2:
        kinds += [partial(nn.BatchNorm1d, width, affine=affine)]
        kinds += [partial(nn.GroupNorm, 2, width, affine=affine)] if width % 2 == 0 else []
    return choice.pick(kinds)(), (at,)


def _constant(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    width = channels(values[at])
    return Constant(width, choice.pick((1, 2, width // 2, width)), multiply=choice.coin()), (at,)


def _masked(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    return (Masked(values[at].shape[-1], choice.width()), (at,)) if values[at].ndim < 4 else None


def _shuffle(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    axis = 1 if x.ndim == 4 else x.ndim - 1
    return _one(
        values,
        at,
        lambda x: x.unflatten(axis, (2, -1)).transpose(axis, axis + 1).flatten(axis, axis + 1),
        fits=channels(x) % 2 == 0,
    )


def _roll(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    return _one(values, at, partial(choice.pick((_rolled, _flipped)), axis=_axis(values[at])))


def _rolled(x: Tensor, axis: int) -> Tensor:
    return x.roll(1, axis)


def _flipped(x: Tensor, axis: int) -> Tensor:
    return x.flip(axis)


def _slice(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    if channels(values[at]) < 6 or values[at].ndim == 4:
        return None
    return _one(values, at, choice.pick((lambda x: x[..., :4], lambda x: x[..., ::2], lambda x: x[..., [0, 2, 1, 2]])))


def _max_out(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    pieces: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda x: x.amax(-1),
        lambda x: x.mean(-1),
        lambda x: x.sum(-2),
        lambda x: x.prod(-1),
    )
    reduce = choice.pick(pieces)
    return _one(
        values, at, lambda x: reduce(x.unflatten(-1, (-1, 2))), fits=x.ndim < 4 and x.shape[-1] >= 8 and x.shape[-1] % 2 == 0
    )


def _soft(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    axis = _axis(values[at])
    functions = (lambda x: x.softmax(axis), lambda x: x.log_softmax(axis), lambda x: functional.normalize(x, dim=axis))
    return _one(values, at, choice.pick(functions))


def _centered(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    axis = choice.pick((_axis(values[at]), 0))
    return _one(values, at, lambda x: x - x.mean(axis, keepdim=True))


def _gated(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    return (Gated(x.shape[-1], choice.width(), choice.pick(GATES), bias=choice.coin()), (at,)) if x.ndim < 4 else None


def _excitation(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    return (Excitation(channels(values[at])), (at,)) if values[at].ndim > 2 else None


def _heads(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    if values[at].ndim != 3:
        return None
    heads = choice.pick((1, 2, 4))
    groups = choice.pick([g for g in (1, 2, 4) if heads % g == 0])
    options = {name: choice.coin() for name in ("bias", "causal", "norm")}
    return Heads(values[at].shape[-1], heads=heads, groups=groups, dim=choice.pick((2, 3)), **options), (at,)


def _blocks(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    return (Blocks(2, x.shape[-1] // 2, choice.pick((2, 3, 4))), (at,)) if x.ndim < 4 and x.shape[-1] % 2 == 0 else None


def _recurrence(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    if values[at].ndim != 3:
        return None
    return Recurrence(choice.pick((nn.LSTM, nn.GRU, nn.RNN)), values[at].shape[-1], choice.pick((3, 4))), (at,)


def _experts(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    return (Experts(values[at].shape[-1], choice.pick((2, 3)), choice.pick((3, 4))), (at,)) if values[at].ndim < 4 else None


def _pool_positions(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    functions = (lambda x: x.mean(1), lambda x: x.amax(1), lambda x: x[:, 0], lambda x: x.flatten(1))
    return _one(values, at, choice.pick(functions), fits=values[at].ndim == 3 and values[at].shape[-1] <= 6)


def _mix_positions(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    functions = (lambda x: x.cumsum(1), lambda x: x + x.mean(1, keepdim=True), lambda x: x.flip(1), lambda x: x - x[:, :1])
    return _one(values, at, choice.pick(functions), fits=x.ndim == 3)


def _grouped(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    if x.ndim != 4:
        return None
    width, groups = x.shape[1], choice.pick([g for g in (2, x.shape[1]) if x.shape[1] % g == 0] or [1])
    out = width * choice.pick((1, 2)) if width <= 6 else width
    return nn.Conv2d(width, out, 3, padding=1, groups=groups, bias=choice.coin()), (at,)


def _resize(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    if x.ndim != 4:
        return None
    width, side = x.shape[1], x.shape[2]
    small: list[Callable[[], nn.Module]] = [
        partial(nn.ConvTranspose2d, width, choice.width(), 2, stride=2),
        partial(nn.Upsample, scale_factor=2),
    ]
    small += [partial(nn.PixelShuffle, 2)] if width in (4, 8) else []
    large: list[Callable[[], nn.Module]] = [
        partial(nn.MaxPool2d, 2),
        partial(nn.AvgPool2d, 2),
        partial(nn.Conv2d, width, choice.width(), 3, 2, 1),
    ]
    return choice.pick(large if side > 3 else small)(), (at,)


def _leave_image(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    fits = x.ndim == 4 and x.shape[2] <= 3
    functions = (
        lambda x: x.flatten(1),
        lambda x: x.mean((2, 3)),
        lambda x: x.amax((2, 3)),
        lambda x: x.flatten(2).transpose(1, 2),
    )
    return _one(values, at, choice.pick(functions), fits=fits)


KINDS: tuple[tuple[str, Callable[[Choice, Sequence[Tensor], int], Made]], ...] = (
    *(("linear", _linear),) * 5,
    *(("activation", _activation),) * 5,
    ("channel_prelu", _channel_prelu),
    *(("shared", _shared),) * 2,
    ("transposed", _transposed),
    *(("sum", partial(_two, function=torch.add)),) * 3,
    ("product", partial(_two, function=torch.mul)),
    ("difference", partial(_two, function=torch.sub)),
    ("maximum", partial(_two, function=torch.maximum)),
    *(("concatenation", _concatenation),) * 2,
    *(("chunk", _chunk),) * 2,
    *(("norm", _norm),) * 3,
    ("constant", _constant),
    ("masked", _masked),
    ("shuffle", _shuffle),
    ("roll", _roll),
    ("slice", _slice),
    ("max_out", _max_out),
    ("soft", _soft),
    ("centered", _centered),
    *(("gated", _gated),) * 2,
    ("excitation", _excitation),
    *(("heads", _heads),) * 3,
    ("blocks", _blocks),
    ("recurrence", _recurrence),
    ("experts", _experts),
    ("pool_positions", _pool_positions),
    ("mix_positions", _mix_positions),
    *(("grouped", _grouped),) * 2,
    *(("resize", _resize),) * 2,
    *(("leave_image", _leave_image),) * 2,
    *RARE,
)
