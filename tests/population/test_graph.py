"""A graph network of PyTorch Geometric, full batch."""

from typing import Any

import pytest
import torch
from torch import nn

from parasym.population import FullBatch, TrainingPlan, train_population
from tests.needs import needs

needs("torch_geometric")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def build() -> nn.Module:
    from torch_geometric.nn import SimpleConv

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv: Any = SimpleConv(aggr="mean", combine_root="sum")
            self.first, self.norm, self.last = nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 2)

        def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
            return self.last(self.conv(self.norm(self.first(self.conv(x, edges))).relu(), edges))

    return Net()


def test_trains_in_whichever_way():
    generator = torch.Generator().manual_seed(0)
    x, edges = torch.randn(30, 4, generator=generator), torch.randint(30, (2, 90), generator=generator)
    y = (x[:, 0] > 0).long()
    train = torch.arange(20)
    plan = TrainingPlan(epochs=40, rate=1e-2, optimizer="adam", decay=0.0, schedule="constant", warm_up=5)
    data = FullBatch((x, edges), rows=train)
    found = train_population(build, data, y[train], seeds=(0, 1), plan=plan)
    loop = train_population(build, data, y[train], seeds=(0, 1), plan=plan, way="loop")
    for a, b in zip(found.params, loop.params, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert found.losses(0)[-1] < 0.7 * found.losses(0)[0]
    assert int(found.params[0]["norm.num_batches_tracked"]) == 1
