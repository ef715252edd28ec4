"""Kernels, strides, padding and the rest drawn at random: a rule that gets a size wrong would leave the operation uncovered."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parasym import find

Draw = Callable[..., int]


def _conv(draw: Draw, n: int) -> nn.Module:
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[n - 1]
    kernel, stride, padding, dilation = (_each(draw, n, low, 3) for low in (1, 1, 0, 1))
    return kind(4, 6, kernel, stride, padding, dilation, groups=draw(1, 2))


def _transposed(draw: Draw, n: int) -> nn.Module:
    kind: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[n - 1]
    kernel, stride, padding, dilation = (_each(draw, n, low, 3) for low in (1, 2, 0, 1))
    return kind(4, 6, kernel, stride, padding, tuple(s - 1 for s in stride), draw(1, 2), dilation=dilation)


def _max(draw: Draw, n: int) -> nn.Module:
    kind: Any = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[n - 1]
    return kind(_each(draw, n, 2, 4), _each(draw, n, 1, 3), draw(0, 1), draw(1, 2), ceil_mode=bool(draw(0, 1)))


def _average(draw: Draw, n: int) -> nn.Module:
    kind: Any = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[n - 1]
    return kind(_each(draw, n, 2, 4), _each(draw, n, 1, 3), draw(0, 1), bool(draw(0, 1)), bool(draw(0, 1)))


def _im2col(draw: Draw, n: int) -> nn.Module:
    return nn.Unfold(*(_each(draw, 2, low, 3) for low in (1, 1, 0, 1)))


def _each(draw: Draw, n: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(low, high) for _ in range(n))


class Windowed(nn.Module):
    """A layer, windows, and the mean of what they show."""

    def __init__(self, windows: nn.Module, n: int):
        super().__init__()
        self.first, self.windows = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[n - 1](3, 4, 1), windows

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.windows(F.gelu(self.first(x)))).flatten(2).mean(2)


@pytest.mark.parametrize(("kind", "n"), [*itertools.product((_conv, _transposed, _max, _average), (1, 2, 3)), (_im2col, 2)])
def test_no_size_is_wrong(kind: Callable[[Draw, int], nn.Module], n: int) -> None:
    draw = random.Random(n).randint
    sizes = set()
    for _ in range(12 if n < 3 else 4):
        model = Windowed(kind(lambda *bounds: draw(*bounds), n), n)
        x = torch.zeros(2, 3, *_each(draw, n, 9, 12))
        sizes.add(tuple(model.windows(model.first(x)).shape[2:]))
        assert find(model, x).uncovered == (), model
    assert len(sizes) > 2
