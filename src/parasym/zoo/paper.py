"""The networks of the study of asymmetric networks: an MLP, residual networks, a graph network."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class NormedMLP(nn.Module):
    """Linear, LayerNorm, GELU, again and again, then Linear. Inputs of any shape are flattened.

    Args:
        width: Width of the hidden layers.
        classes: Number of outputs.
        in_features: Number of inputs.
        hidden: Number of hidden layers.

    Example:
        >>> sum(p.numel() for p in NormedMLP().parameters())
        935434

    References:
        Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS 2024.
    """

    def __init__(self, width: int = 512, classes: int = 10, in_features: int = 784, *, hidden: int = 3) -> None:
        super().__init__()
        widths = (in_features, *[width] * hidden, classes)
        self.linears = nn.ModuleList(nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(hidden))
        self.acts = nn.ModuleList(nn.GELU() for _ in range(hidden))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits.

        Args:
            x: Shape ``[batch, ...]``.
        """
        x = x.flatten(1)
        for linear, norm, act in zip(self.linears[:-1], self.norms, self.acts, strict=True):
            x = act(norm(linear(x)))
        return self.linears[-1](x)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes (option B)."""

    def __init__(self, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.GroupNorm(1, fan_out), nn.GroupNorm(1, fan_out)
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()
        changes = stride != 1 or fan_in != fan_out
        self.skip = nn.Conv2d(fan_in, fan_out, 1, stride, bias=False) if changes else nn.Identity()
        self.skip_norm = nn.GroupNorm(1, fan_out) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        out = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        return self.act2(out + self.skip_norm(self.skip(x)))


class ResNet(nn.Module):
    """A residual network with layer normalization (``GroupNorm(1, C)``): three stages of 16, 32, 64 channels times ``width``.

    Args:
        width: Multiplies the channels; 0.875 gives 14, 28, 56.
        classes: Number of outputs.
        in_channels: Channels of the images.
        blocks: Blocks per stage: ``(3, 3, 3)`` is ResNet20, ``(1, 1, 1)`` ResNet8.

    Example:
        >>> [sum(p.numel() for p in ResNet(width).parameters()) for width in (1, 8)]
        [272474, 17289866]

    References:
        He, Zhang, Ren, Sun. Deep residual learning for image recognition. CVPR 2016.
    """

    def __init__(self, width: float = 1, classes: int = 10, in_channels: int = 3, *, blocks: tuple[int, ...] = (3, 3, 3)) -> None:
        super().__init__()
        channels = [int(16 * 2**stage * width) for stage in range(len(blocks))]
        self.stem = nn.Conv2d(in_channels, channels[0], 3, padding=1, bias=False)
        self.stem_norm, self.stem_act = nn.GroupNorm(1, channels[0]), nn.ReLU()
        stages, before = [], channels[0]
        for stage, (count, now) in enumerate(zip(blocks, channels, strict=True)):
            steps = [Block(before if k == 0 else now, now, 2 if k == 0 and stage > 0 else 1) for k in range(count)]
            stages.append(nn.Sequential(*steps))
            before = now
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits.

        Args:
            x: Images, ``[batch, in_channels, height, width]``.
        """
        x = self.stages(self.stem_act(self.stem_norm(self.stem(x))))
        return self.head(x.mean((2, 3)))


def resnet20(width: float = 1, classes: int = 10, in_channels: int = 3) -> ResNet:
    """Return the residual network of three blocks per stage.

    Args:
        width: Multiplies the channels.
        classes: Number of outputs.
        in_channels: Channels of the images.
    """
    return ResNet(width, classes, in_channels, blocks=(3, 3, 3))


def resnet8(width: float = 1, classes: int = 10, in_channels: int = 3) -> ResNet:
    """Return the residual network of one block per stage.

    Args:
        width: Multiplies the channels.
        classes: Number of outputs.
        in_channels: Channels of the images.

    Example:
        >>> [sum(p.numel() for p in resnet8(width).parameters()) for width in (1, 0.875)]
        [78042, 59944]
    """
    return ResNet(width, classes, in_channels, blocks=(1, 1, 1))


class GraphNet(nn.Module):
    """A node adds the mean of its neighbours to itself; then Linear, BatchNorm, GELU; in the end Linear.

    Args:
        width: Width of the hidden layers.
        classes: Number of outputs.
        in_channels: Features per node.
        hidden: Number of graph layers.

    Example:
        >>> sum(p.numel() for p in GraphNet().parameters())
        176424
    """

    def __init__(self, width: int = 256, classes: int = 40, in_channels: int = 128, *, hidden: int = 3) -> None:
        super().__init__()
        widths = (in_channels, *[width] * hidden)
        self.linears = nn.ModuleList(nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(hidden))
        self.acts = nn.ModuleList(nn.GELU() for _ in range(hidden))
        self.readout = nn.Linear(width, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Return logits of every node.

        Args:
            x: Features, ``[nodes, in_channels]``.
            edge_index: Sources and targets of the edges, ``[2, edges]``.
        """
        for linear, norm, act in zip(self.linears, self.norms, self.acts, strict=True):
            x = act(norm(linear(x + neighbour_mean(x, edge_index))))
        return self.readout(x)


def neighbour_mean(x: Tensor, edge_index: Tensor) -> Tensor:
    """Return for every node the mean over its incoming edges, 0 where there are none.

    Args:
        x: Features, ``[nodes, channels]``.
        edge_index: Sources and targets of the edges, ``[2, edges]``.

    Example:
        >>> neighbour_mean(torch.tensor([[1.0], [2.0], [6.0]]), torch.tensor([[1, 2, 0], [0, 0, 1]])).tolist()
        [[4.0], [1.0], [0.0]]
    """
    source, target = edge_index[0], edge_index[1]
    total = torch.zeros_like(x).index_add(0, target, x[source])
    degree = x.new_zeros(len(x)).index_add(0, target, torch.ones_like(target, dtype=x.dtype))
    return total / degree.clamp(min=1).unsqueeze(1)
