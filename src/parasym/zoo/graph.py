"""Graph convolutions: messages are gathered along edges and added at nodes."""

import torch
from torch import Tensor, nn

from parasym.zoo.entry import Entry


class GraphConvolution(nn.Module):
    """Two graph convolutions by ``index_add``; the edges are an input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:  # noqa: D102
        source, target = edges[0], edges[1]
        h = torch.relu(self.first(torch.zeros_like(x).index_add(0, target, x[source]) + x))
        return self.second(torch.zeros_like(h).index_add(0, target, h[source]) + h)


def _ring(generator: torch.Generator) -> tuple[Tensor, ...]:
    nodes = torch.arange(8)
    edges = torch.stack((torch.cat((nodes, nodes)), torch.cat(((nodes + 1) % 8, (nodes * 3 + 1) % 8))))
    return torch.randn(8, 3, generator=generator, dtype=torch.float64), edges


GRAPH = (
    Entry(
        "graph_convolution",
        GraphConvolution,
        _ring,
        ("S(5)", "scale(5)"),
        120,
        5,
        "Gathering and adding along nodes is linear and treats every channel alike; the ReLU wire has permutations and scales.",
    ),
)
