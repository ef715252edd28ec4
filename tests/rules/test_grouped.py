"""Tokens sent to experts by their scores, by products that libraries register as operations of their own."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from parasym.core import model_params
from parasym.find import find


@torch.library.custom_op("parasym_tests::grouped_mm_fallback", mutates_args=())
def grouped(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    out, start = x.new_zeros(len(x), weight.shape[2]), 0
    for k, end in enumerate(ends.tolist()):
        out[start:end] = x[start:end] @ weight[k]
        start = end
    return out


@grouped.register_fake
def _(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[2])


class Routed(nn.Module):
    """Each token goes to the two experts with the largest scores, in groups as large libraries sort them."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(8, 3, bias=False)
        self.up, self.down = nn.Parameter(torch.randn(3, 8, 12)), nn.Parameter(torch.randn(3, 12, 4))

    def forward(self, x: Tensor) -> Tensor:
        weights, experts = self.router(x).softmax(-1).topk(2)
        ids, order = experts.flatten().sort()
        ends = torch.histc(ids.double(), 3, 0, 2).cumsum(0).to(torch.int32)
        hidden = grouped(x[order // 2], self.up, ends).relu()
        out = grouped(hidden, self.down, ends) * weights.flatten()[order, None]
        return out[order.argsort()].unflatten(0, (-1, 2)).sum(1)


@pytest.fixture
def model() -> Routed:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Routed().double()


X = torch.randn(10, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def change(model: nn.Module, moved: dict[str, Tensor]) -> float:
    with torch.no_grad():
        before, after = (functional_call(model, params, (X,)) for params in (model_params(model), moved))
    return float((after - before).abs().max() / before.abs().max())


def test_experts_keep_the_groups_of_their_hidden_channels(model: Routed) -> None:
    symmetry = find(model, (X,))
    assert symmetry.uncovered == ()
    assert {factor.label for factor in symmetry.factors} == {"S(12)", "scale(12)", "shift(8)"}
    params = model_params(model)
    moved = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(2)), params)
    assert all(not torch.allclose(moved[name], params[name]) for name in params)
    assert change(model, moved) < 1e-10


def test_the_experts_themselves_are_pinned_and_said_to_be(model: Routed) -> None:
    coarse = find(model, (X,)).coarse
    assert {name for pin in coarse for name in pin.tensors} == {"router.weight", "up", "down"}
    params = model_params(model)
    swapped = {name: value[[1, 0, 2]] for name, value in params.items()}
    assert change(model, swapped) < 1e-10  # so that what is listed as missing is there
    assert change(model, {**swapped, "up": params["up"]}) > 0.1


class Half(nn.Module):
    """The product of torch itself, which exists in few types."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.a, self.w = nn.Linear(8, 8), nn.Parameter(torch.randn(shape))

    def forward(self, x: Tensor) -> Tensor:
        ends = torch.tensor([4, 8], dtype=torch.int32, device=x.device)
        return torch.ops.aten._grouped_mm(self.a(x).relu(), self.w, offs=ends)


def test_the_product_of_torch_is_the_same() -> None:
    symmetry = find(Half((2, 8, 8)).bfloat16().to("meta"), (torch.zeros(8, 8, dtype=torch.bfloat16, device="meta"),))
    assert symmetry.uncovered == ()
    assert {factor.label for factor in symmetry.factors} == {"S(8)", "scale(8)"}


def test_another_kind_of_grouped_product_is_refused() -> None:
    symmetry = find(Half((8, 16)).bfloat16().to("meta"), (torch.zeros(8, 8, dtype=torch.bfloat16, device="meta"),))
    assert "other than rows with stacked matrices" in symmetry.uncovered[0].reason
