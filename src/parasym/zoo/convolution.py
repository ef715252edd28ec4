"""Convolutional networks: channels are wires, pixels are not."""

from functools import partial
from math import factorial

import torch
from torch import Tensor, nn

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class Dense(nn.Module):
    """Every layer reads the concatenation of all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 3, 1), nn.Conv2d(5, 4, 1)
        self.head = nn.Linear(9, 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        a = torch.relu(self.first(x))
        b = torch.relu(self.second(a))
        c = torch.relu(self.third(torch.cat((a, b), dim=1)))
        return self.head(torch.cat((a, b, c), dim=1).mean((2, 3)))


class UNet(nn.Module):
    """Down, up by a transposed convolution, and a skip by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 3, 2, stride=2)
        self.up, self.head = nn.ConvTranspose2d(3, 2, 2, stride=2), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        skip = torch.relu(self.down(x))
        deep = torch.relu(self.up(torch.relu(self.middle(skip))))
        return self.head(torch.cat((skip, deep), dim=1))


class PositionalChannels(nn.Module):
    """Adds two constant coordinate channels to the image before the convolution."""

    grid: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.linspace(-1, 1, 5)
        self.register_buffer("grid", torch.stack(torch.meshgrid(line, line, indexing="ij"))[None])
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = torch.cat((x, self.grid.expand(x.shape[0], -1, -1, -1)), dim=1)
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


class PositionalHidden(nn.Module):
    """Adds a constant image to every hidden channel; ``kinds`` says which channels get the same one."""

    grid: Tensor

    def __init__(self, kinds: tuple[int, ...]) -> None:
        super().__init__()
        images = torch.linspace(0.1, 1, 9 * (max(kinds) + 1)).reshape(-1, 3, 3)
        self.register_buffer("grid", images[list(kinds)][None])
        self.conv, self.head = nn.Conv2d(1, len(kinds), 3), nn.Conv2d(len(kinds), 2, 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.head(torch.nn.functional.gelu(self.conv(x)) + self.grid)


class SqueezeExcitation(nn.Module):
    """Channels weighted by a gate that reads their means."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)
        self.squeeze, self.excite = nn.Linear(4, 3), nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = torch.relu(self.conv(x))
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(h.mean((2, 3))))))
        return self.head((h * gate[:, :, None, None]).amax((2, 3)))


def pooled(*layers: nn.Module, width: int, outputs: int = 2) -> nn.Sequential:
    """Return the layers, the mean over pixels and a Linear head.

    Args:
        layers: Convolutional layers.
        width: Channels of the last.
        outputs: Outputs of the head.
    """
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, outputs))


def _depthwise() -> nn.Module:
    mixing = (nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.ReLU())
    return pooled(nn.Conv2d(1, 4, 3), nn.ReLU(), *mixing, width=3)


def _grouped() -> nn.Module:
    return pooled(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2), nn.ReLU(), width=6)


def _pixel_shuffle() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.PixelShuffle(2), nn.ReLU(), nn.Conv2d(2, 1, 3))


CONVOLUTION = (
    Entry(
        "dense_concatenation",
        Dense,
        normal((8, 1, 5, 5)),
        ("S(2)", "S(3)", "S(4)", "scale(2)", "scale(3)", "scale(4)"),
        2 * 6 * 24,
        9,
        "Each of the three ReLU layers is one wire; the concatenations are sums of them, in order.",
    ),
    Entry(
        "unet",
        UNet,
        normal((3, 1, 4, 4)),
        ("S(2)", "S(3)", "S(2)", "scale(2)", "scale(3)", "scale(2)"),
        2 * 6 * 2,
        7,
        "Three ReLU wires; the transposed convolution has its inputs on axis 0 and its outputs on axis 1.",
    ),
    Entry(
        "depthwise",
        _depthwise,
        normal((8, 1, 6, 6)),
        ("S(4)", "scale(4)", "scale(4)", "S(3)", "scale(3)"),
        24 * 6,
        11,
        "The depthwise weight ties the permutation before it to the one after it, but not the scales: s_out / s_in.",
    ),
    Entry(
        "grouped",
        _grouped,
        normal((8, 1, 6, 6)),
        ("S(2)", "S(2)^2", "S(3)^2", "scale(2)^2", "scale(3)^2"),
        2 * 2**2 * 6**2,
        10,
        "Both wires are a product of the 2 groups and a rest: groups may be exchanged as wholes, and within each"
        " group the 2 inputs and the 3 outputs on their own.",
    ),
    Entry(
        "pixel_shuffle",
        _pixel_shuffle,
        normal((4, 1, 5, 5)),
        ("S(2)", "scale(2)"),
        2,
        2,
        "Rows of the first weight are a product of 2 channels and 4 pixels of a block; pixels are not exchangeable.",
    ),
    Entry(
        "positional_channels",
        PositionalChannels,
        normal((8, 1, 5, 5)),
        ("S(4)", "scale(4)"),
        24,
        4,
        "The coordinate images are different, so the 3 input channels are pinned; the ReLU wire of 4 is free. The rest:"
        " coordinates are linear, so 18 taps and the bias of a channel act as 3 numbers, 16 too many for each of 4.",
        rest=64,
    ),
    Entry(
        "positional_hidden_distinct",
        partial(PositionalHidden, (0, 1, 2, 3)),
        normal((8, 1, 5, 5)),
        (),
        1,
        0,
        "All four hidden channels get different constants: nothing may be exchanged.",
    ),
    Entry(
        "positional_hidden_two_kinds",
        partial(PositionalHidden, (0, 1, 0, 1, 1)),
        normal((8, 1, 5, 5)),
        ("S(2) x S(3)",),
        12,
        0,
        "Channels 0, 2 get one constant image and 1, 3, 4 another: a Young subgroup of S(5).",
    ),
    Entry(
        "squeeze_excitation",
        SqueezeExcitation,
        normal((8, 1, 5, 5)),
        ("S(4)", "scale(4)", "S(3)", "scale(3)"),
        factorial(4) * factorial(3),
        7,
        "The gate passes a sigmoid and has no scale, so gate times channel scales like the channel; squeeze takes it dually.",
    ),
)
