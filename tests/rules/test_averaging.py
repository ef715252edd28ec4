"""What is constant over positions passes some operations as it is: found for a bias exactly where torch itself says so."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parasym import find

INDEX = torch.tensor([3, 0, 0, 5])


def everywhere(h: Tensor) -> Tensor:
    return INDEX.expand(*h.shape[:2], -1)


def ones(h: Tensor) -> Tensor:
    return torch.ones(*h.shape[:2], len(INDEX), dtype=torch.float64)


LINES: dict[str, Callable[[Tensor], Tensor]] = {
    # Of batch, channels, positions: what is left of the positions comes behind the channels.
    "windows": lambda h: h.unfold(2, 3, 2),
    "every other": lambda h: h[:, :, ::2],
    "a choice": lambda h: h[:, :, INDEX],
    "index_select": lambda h: h.index_select(2, INDEX),
    "gather": lambda h: h.gather(2, INDEX.expand(h.shape[0], h.shape[1], -1)),
    "roll": lambda h: h.roll(1, 2),
    "flip": lambda h: h.flip(2),
    "sorted": lambda h: h.sort(2).values,
    "the largest two": lambda h: h.topk(2, 2).values,
    "running sum": lambda h: h.cumsum(2),
    "sum": lambda h: h.sum(2, keepdim=True),
    "mean": lambda h: h.mean(2, keepdim=True),
    "norm": lambda h: h.norm(dim=2, keepdim=True),
    "average pool": lambda h: F.avg_pool1d(h, 2),
    "average pool beyond the edge": lambda h: F.avg_pool1d(h, 3, 2, padding=1),
    "average pool up to the edge": lambda h: F.avg_pool1d(h, 3, 2, padding=1, count_include_pad=False),
    "average pool of what is there": lambda h: F.avg_pool1d(h, 4, 4, ceil_mode=True),
    "sum pool": lambda h: F.avg_pool2d(h[:, :, None], (1, 2), divisor_override=1)[:, :, 0],
    "largest": lambda h: F.max_pool1d(h, 3, 2, padding=1),
    "power pool": lambda h: F.lp_pool1d(h.relu(), 2, 2),
    "adaptive average": lambda h: F.adaptive_avg_pool1d(h, 4),
    "adaptive largest": lambda h: F.adaptive_max_pool1d(h, 4),
    "zeros around": lambda h: F.pad(h, (1, 1)),
    "ones around": lambda h: F.pad(h, (1, 1), value=1.0),
    "cut at both ends": lambda h: F.pad(h, (-1, -2)),
    "cut and padded": lambda h: F.pad(h, (-1, 1)),
    "mirrored": lambda h: F.pad(h, (1, 1), mode="reflect"),
    "repeated": lambda h: F.pad(h, (1, 1), mode="replicate"),
    "in a circle": lambda h: F.pad(h, (1, 1), mode="circular"),
    "nearest": lambda h: F.interpolate(h, scale_factor=2),
    "between": lambda h: F.interpolate(h, size=9, mode="linear"),
    "patches": lambda h: F.unfold(h.unflatten(2, (2, 3)), 2).unflatten(1, (4, 4)),
    "patches beyond the edge": lambda h: F.unfold(h.unflatten(2, (2, 3)), 2, padding=1).unflatten(1, (4, 4)),
    "patches laid over each other": lambda h: F.fold(F.unfold(h.unflatten(2, (2, 3)), (1, 2)), (2, 3), (1, 2)),
    "difference": lambda h: h.diff(dim=2),
    "added by number": lambda h: h.scatter_add(2, everywhere(h), ones(h)),
    "reduced by number": lambda h: h.scatter_reduce(2, everywhere(h), ones(h), "sum"),
    "reduced by number, without itself": lambda h: h.scatter_reduce(2, everywhere(h), ones(h), "sum", include_self=False),
    "written by number": lambda h: h.scatter(2, everywhere(h), ones(h)),
    "added by place": lambda h: h.index_add(2, INDEX, ones(h)),
    "added at places": lambda h: h.index_put(
        (torch.arange(len(h))[:, None, None], torch.arange(4)[:, None], INDEX), ones(h), accumulate=True
    ),
}


class Between(nn.Module):
    """``c(act(op(a(x)) + b))``: a bias on either side of an operation."""

    def __init__(self, op: Callable[[Tensor], Tensor]):
        super().__init__()
        self.a, self.b, self.op = nn.Conv1d(3, 4, 1), nn.Parameter(torch.randn(4)), op
        self.c = nn.Parameter(torch.randn(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.op(self.a(x)).movedim(1, -1)
        return torch.sigmoid(h + self.b) @ self.c


def times(op: Callable[[Tensor], Tensor]) -> float | None:
    """By what torch multiplies a constant that goes through, ``None`` if it does not come out as one."""
    h, t = torch.randn(2, 4, 6, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64)
    ratio = (op(h + t) - op(h)).flatten(2) / t
    factor = float(ratio.mean())
    return factor if bool((ratio - factor).abs().max() < 1e-12) else None


@pytest.mark.parametrize("name", LINES)
def test_a_bias_passes_where_a_constant_does(name: str) -> None:
    model: Any = Between(LINES[name]).double()
    symmetry = find(model, torch.randn(2, 3, 6, dtype=torch.float64))
    assert symmetry.uncovered == ()
    shifts = [f for f in symmetry.factors if f.group.label.startswith("shift")]
    factor = times(LINES[name])
    expected = [] if factor is None else [["a.bias", "b"]] if abs(factor) > 1e-9 else [["a.bias"]]
    assert [sorted(f.tensors) for f in shifts] == expected


def test_some_do_and_some_do_not() -> None:
    assert 5 < sum(times(op) is not None for op in LINES.values()) < len(LINES) - 5
