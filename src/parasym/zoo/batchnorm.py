"""Convolutional networks with BatchNorm, in eval and in train mode.

With running statistics, BatchNorm is a per-channel affine map of four numbers that act as two: its
input may be rescaled and its sign changed if the statistics follow (``v + eps`` goes with the
square), the variance may be traded for the gain and the mean for the bias after it, and a bias
before it may move into the running mean. With batch statistics and ``eps > 0`` the scale before it is not exact;
the sign is, and a bias before it has no effect.
"""

from math import factorial

import torch
from torch import Tensor, nn

from parasym.zoo.convolution import pooled
from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class Block(nn.Module):
    """A residual block: two convolutions with BatchNorm and a shortcut."""

    def __init__(self, fan_in: int, hidden: int, fan_out: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(fan_in, hidden, 3, padding=1, bias=False), nn.BatchNorm2d(hidden)
        self.conv2, self.bn2 = nn.Conv2d(hidden, fan_out, 3, padding=1, bias=False), nn.BatchNorm2d(fan_out)
        same = fan_in == fan_out
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(fan_in, fan_out, 1, bias=False), nn.BatchNorm2d(fan_out))
        )

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(h + self.shortcut(x))


class DenseBatchNorm(nn.Module):
    """A DenseNet block: BatchNorm and ReLU read the concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0, self.bn1, self.conv1 = nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.Conv2d(2, 3, 1, bias=False)
        self.bn2, self.conv2, self.head = nn.BatchNorm2d(5), nn.Conv2d(5, 4, 1), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        a = self.conv0(x)
        b = self.conv1(torch.relu(self.bn1(a)))
        c = self.conv2(torch.relu(self.bn2(torch.cat((a, b), dim=1))))
        return self.head(torch.relu(c).mean((2, 3)))


def _cnn() -> nn.Module:
    first = (nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(*first, nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def _resnet() -> nn.Module:
    stem = (nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU())
    return pooled(*stem, Block(3, 2, 3), Block(3, 2, 4), width=4)


def _linear_batchnorm(norm: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), norm, nn.ReLU(), nn.Linear(5, 3))


def _batchnorm_after_relu() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Linear(5, 3))


_RESNET_PERMUTATIONS = ("S(3)", "S(2)", "S(2)", "S(4)")
_RESNET_RELU = ("scale(3)", "scale(2)", "scale(2)", "scale(4)")
_RESNET_SIGNS = ("signs(3)", "signs(2)", "signs(3)", "signs(2)", "signs(4)", "signs(4)")
_RESNET_BEFORE = ("scale(3)", "scale(2)", "scale(3)", "scale(2)", "scale(4)", "scale(4)")
_RESNET_ORDER = factorial(3) * 2 * 2 * factorial(4) * 2**18

BATCHNORM = (
    Entry(
        "cnn_batchnorm_eval",
        _cnn,
        normal((4, 1, 8, 8)),
        (
            *("S(3)", "signs(3)", "scale(3)", "scale(3)", "scale(3)", "shift(3)", "shift(3)"),
            *("S(4)", "signs(4)", "scale(4)", "scale(4)", "scale(4)", "shift(4)", "shift(4)"),
        ),
        factorial(3) * 2**3 * factorial(4) * 2**4,
        35,
        "Per layer: permutations; sign and scale before the norm; variance against gain; scale through the ReLU; the bias may"
        " move into the running mean, and that into the bias after. The flatten makes the head's columns a product of 4 channels"
        " and 4 pinned pixels.",
    ),
    Entry(
        "cnn_batchnorm_train",
        _cnn,
        normal((4, 1, 8, 8)),
        ("S(3)", "signs(3)", "scale(3)", "shift(3)", "S(4)", "signs(4)", "scale(4)", "shift(4)"),
        factorial(3) * 2**3 * factorial(4) * 2**4,
        14,
        "As in eval mode without the scale before the norm; the bias before it has no effect.",
        train=True,
    ),
    Entry(
        "resnet_eval",
        _resnet,
        normal((4, 1, 5, 5)),
        (
            *(*_RESNET_PERMUTATIONS, *_RESNET_RELU, *_RESNET_SIGNS, *_RESNET_BEFORE, *_RESNET_BEFORE, "shift(4)"),
            *("shift(3)", "shift(2)", "shift(3)", "shift(2)", "shift(4)", "shift(4)"),
        ),
        _RESNET_ORDER,
        11 + 18 + 18 + 4 + 18,
        "Wires: the first stream of 3, hidden 2, hidden 2, the second stream of 4, each with ReLU scales. Before each of the six"
        " norms signs and scales of its own; in it, variance against gain and mean against bias. bn2.bias and the shortcut's bias"
        " meet in a sum.",
    ),
    Entry(
        "resnet_train",
        _resnet,
        normal((4, 1, 5, 5)),
        (*_RESNET_PERMUTATIONS, *_RESNET_RELU, *_RESNET_SIGNS, "shift(4)"),
        _RESNET_ORDER,
        11 + 4,
        "As in eval mode without the scales before the norms.",
        train=True,
    ),
    Entry(
        "densenet_batchnorm_eval",
        DenseBatchNorm,
        normal((6, 1, 5, 5)),
        (
            *("S(2)", "S(3)", "S(4)", "signs(2)", "signs(3)"),
            *("scale(2)", "scale(3)", "scale(2)", "scale(2)", "scale(3)", "scale(4)"),
            *("scale(2)", "scale(2)", "scale(3)", "shift(2)", "shift(5)"),
        ),
        2 * 6 * 24 * 2**5,
        30,
        "conv0's wire of 2 and conv1's of 3 are read by norms only: sign and scale, which both norms follow. After bn1 the ReLU"
        " scales 2, after bn2 it scales 2 and 3. In bn1 (2) and bn2 (2 and 3)"
        " variance goes against gain and mean against bias.",
    ),
    Entry(
        "linear_batchnorm_train_eps0",
        lambda: _linear_batchnorm(nn.BatchNorm1d(5, eps=1e-30)),
        normal((8, 4)),
        ("S(5)", "signs(5)", "scale(5)", "scale(5)", "shift(5)"),
        3840,
        15,
        "An epsilon of 1e-30 drowns in rounding: the scale before the norm is exact. 5 scales before, 5 bias shifts, 5 ReLU"
        " scales: P = 53, rank 38.",
        train=True,
    ),
    Entry(
        "linear_batchnorm_train",
        lambda: _linear_batchnorm(nn.BatchNorm1d(5)),
        normal((8, 4)),
        ("S(5)", "signs(5)", "scale(5)", "shift(5)"),
        3840,
        10,
        "eps > 0: the scale before the norm changes the function.",
        train=True,
    ),
    Entry(
        "batchnorm_after_relu_train",
        _batchnorm_after_relu,
        normal((8, 4)),
        ("S(5)", "signs(5)", "scale(5)", "shift(5)"),
        3840,
        10,
        "ReLU forbids signs before the norm, eps the scale. After it the gain is followed by a linear map:"
        " signs and scales of the gain, and the norm's bias may move into the head's.",
        train=True,
    ),
)
