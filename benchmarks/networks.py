"""The networks that are measured."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

_KEPT: list[torch.library.Library] = []


class Block(nn.Module):
    """A residual block of two convolutions with BatchNorm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))).relu()


def residual_cnn(blocks: int, width: int = 16) -> nn.Module:
    """Return a residual network of so many blocks of two convolutions."""
    stem = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]
    return nn.Sequential(*stem, *(Block(width) for _ in range(blocks)), *head).eval()


def declare_operators() -> None:
    """Let the registry's torchvision, a GPU build, be imported on a CPU build of torch: two operators must exist."""
    if torch.version.cuda is None and not _KEPT:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)


def torchvision_model(name: str) -> nn.Module:
    """Return a model of torchvision with random weights, in eval mode."""
    declare_operators()
    import torchvision

    return getattr(torchvision.models, name)(weights=None).eval()


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Return a ReLU network of linear layers."""
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def trained_on_digits(sizes: Sequence[int], seed: int, steps: int) -> nn.Sequential:
    """Return a ReLU network trained on scikit-learn's digits by so many steps of Adam."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    generator = torch.manual_seed(seed)
    model = mlp(sizes)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        i = torch.randint(0, 1500, (128,), generator=generator)
        optimizer.zero_grad()
        cross_entropy(model(x[i]), y[i]).backward()
        optimizer.step()
    return model
