"""Running statistics of the training set, for networks that were trained without any."""

import torch
from torch import Tensor, nn

from parasym.core import Params
from parasym.functional import reestimate
from parasym.population.data import Data


class _OfIndex(nn.Module):
    """A model as a function of the index of its examples."""

    def __init__(self, inner: nn.Module, data: Data) -> None:
        super().__init__()
        self.inner, self.data = inner, data

    def forward(self, index: Tensor) -> Tensor:
        return self.inner(*self.data.take(index)[0])


def with_statistics(data: Data, batch: int, model: nn.Module, params: Params) -> Params:
    """Return parameters and buffers with the running statistics that data gives.

    Args:
        data: The training set.
        batch: Examples per forward pass.
        model: Of the parameters.
        params: By name.
    """
    index = torch.arange(len(data.y), device=data.device)
    batches = [index] if data.full else index.split(batch)
    found = reestimate(_OfIndex(model, data), {f"inner.{n}": v for n, v in params.items()}, batches)
    return {n.removeprefix("inner."): v for n, v in found.items()}
