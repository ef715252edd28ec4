"""Group, layer, root-mean-square and instance normalization of linear maps and convolutions."""

from collections.abc import Callable
from functools import partial
from math import factorial

from torch import nn

from parasym.zoo.convolution import pooled
from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


def _around(norm: Callable[[], nn.Module], *after: nn.Module, inputs: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 6), norm(), *after, nn.Linear(6, 3))


def _group_norm(eps: float, affine: bool = True) -> nn.Module:
    return pooled(nn.Conv2d(1, 6, 3), nn.GroupNorm(3, 6, eps=eps, affine=affine), nn.ReLU(), width=6)


def _instance_norm() -> nn.Module:
    return pooled(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.ReLU(), width=3)


_MEAN = "What is common to the 6 outputs of the first layer is subtracted: a shift per column of its weight and one of its bias."

NORMALIZATION = (
    Entry(
        "layer_norm",
        lambda: _around(partial(nn.LayerNorm, 6), nn.GELU()),
        normal((8, 4)),
        ("S(6)", "signs(1)", "shift(4)", "shift(1)"),
        factorial(6) * 2,
        5,
        _MEAN + " A sign common to all 6 passes the norm and is undone by the gain; the scale does not, since eps > 0.",
    ),
    Entry(
        "layer_norm_eps0",
        lambda: _around(partial(nn.LayerNorm, 6, eps=0.0), nn.GELU()),
        normal((8, 4)),
        ("S(6)", "signs(1)", "scale(1)", "shift(4)", "shift(1)"),
        factorial(6) * 2,
        6,
        _MEAN + " eps = 0: one scale. P = 63, rank 57.",
    ),
    Entry(
        "layer_norm_linear",
        lambda: _around(partial(nn.LayerNorm, 6), inputs=7),
        normal((12, 7)),
        ("S(6)", "signs(1)", "shift(7)", "shift(1)", "signs(6)", "scale(6)", "shift(6)", "shift(3)"),
        factorial(6) * 2**7,
        23,
        _MEAN + " Gain and bias are followed by a linear map: signs, scales, and the bias moves into the next. The norm's outputs"
        " sum to zero, so a multiple of 1/gain may be added to every row of the last weight if its bias takes what is left of the"
        " norm's: 3. The rest: rotations of the mean-free stream that the reading weight undoes, O(5).",
        rest=10,
    ),
    Entry(
        "rms_norm",
        lambda: _around(partial(nn.RMSNorm, 6, eps=1e-5), nn.GELU()),
        normal((8, 4)),
        ("S(6)", "signs(6)"),
        factorial(6) * 2**6,
        0,
        "The mean square does not see signs; each is undone by the gain.",
    ),
    Entry(
        "rms_norm_linear",
        lambda: _around(partial(nn.RMSNorm, 6, eps=1e-5), inputs=7),
        normal((12, 7)),
        ("S(6)", "signs(6)", "signs(6)", "scale(6)"),
        factorial(6) * 2**12,
        6,
        "Signs before the norm, undone by the gain; signs and scales of the gain, undone by the next layer."
        " The rest: O(6) acts on the first weight and on gain times last weight, which is not an action on axes.",
        rest=15,
    ),
    Entry(
        "rms_norm_no_gain",
        lambda: _around(partial(nn.RMSNorm, 6, eps=1e-5, elementwise_affine=False), inputs=7),
        normal((12, 7)),
        ("O(6)",),
        1,
        15,
        "x / sqrt(mean(x^2) + eps) commutes with every rotation: O(6), of dimension 15.",
    ),
    Entry(
        "group_norm",
        partial(_group_norm, 1e-5),
        normal((8, 1, 6, 6)),
        ("S(3)", "S(2)^3", "signs(3)", "scale(2)^3", "shift(3)"),
        factorial(3) * 2**3 * 2**3,
        9,
        "Channels are a product of 3 groups and 2: groups may be exchanged, and the two within each. One sign per group passes"
        " the norm, undone by the gain. Each channel has its ReLU scale. A constant common to a group is subtracted: one shift"
        " per group of the convolution's bias; its weight has none, since the mean is over the pixels too.",
    ),
    Entry(
        "group_norm_eps0",
        partial(_group_norm, 0.0),
        normal((8, 1, 6, 6)),
        ("S(3)", "S(2)^3", "signs(3)", "scale(2)^3", "shift(3)", "scale(3)"),
        factorial(3) * 2**3 * 2**3,
        12,
        "As group_norm; eps = 0 adds one scale per group.",
    ),
    Entry(
        "instance_norm",
        _instance_norm,
        normal((8, 1, 6, 6)),
        ("S(4)", "signs(4)", "scale(4)", "shift(4)", "S(3)", "scale(3)"),
        factorial(4) * 2**4 * factorial(3),
        11,
        "Every channel is its own group: a sign each, undone by the gain; ReLU scales; the bias before has no effect.",
    ),
)
