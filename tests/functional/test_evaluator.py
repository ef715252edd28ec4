"""A model as a function of its parameters: in one precision, with its ties, its statistics, and inputs beside the given ones."""

import torch
from torch import Tensor, nn

from parasym.functional import Call
from parasym.functional.evaluator import evaluator
from parasym.functional.points import fresh_inputs
from parasym.functional.tensors import map_tensors


class Counted(nn.Module):
    """A tied layer, a normalization, and a buffer that only sounds like a statistic."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3)
        self.b.weight = self.a.weight
        self.register_buffer("running_total", torch.ones(3))
        self.scale = torch.tensor([0.1])  # a plain attribute

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.b(self.a(x).relu())) * self.get_buffer("running_total") * self.scale


def test_everything_is_in_the_precision_of_the_proof() -> None:
    model = Counted().eval()
    run, params = evaluator(model, torch.float64, 0)
    assert {x.dtype for name, x in params.items() if "num_batches" not in name} == {torch.float64}
    assert run(params, Call((torch.randn(4, 3).double(),)))[0].dtype == torch.float64
    assert {x.dtype for x in model.parameters()} == {torch.float32}
    assert model.scale.dtype == torch.float32
    kept, plain = evaluator(model.half(), None, 0)
    assert kept.dtype == torch.float16
    assert plain["a.weight"].dtype == torch.float16


def test_tensors_that_a_forward_makes_are_in_that_precision_too() -> None:
    class Makes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) @ torch.eye(3).float() + torch.full((3,), 1 / 3)

    run, params = evaluator(Makes(), torch.float64, 0)
    x = torch.randn(4, 3).double()
    (found,) = run(params, Call((x,)))
    exact = x @ params["a.weight"].T + params["a.bias"] + torch.tensor(1, dtype=torch.float64) / 3
    assert (found - exact).abs().max() < 1e-14
    assert torch.get_default_dtype() == torch.float32


def test_only_normalizations_have_statistics() -> None:
    run, _ = evaluator(Counted(), torch.float64, 0)
    assert run.statistics == ("norm.running_mean", "norm.running_var")
    assert "running_total" in run.buffers


def test_tied_tensors_that_were_moved_apart_are_named() -> None:
    run, params = evaluator(Counted(), torch.float64, 0)
    assert run.untied(params) == ""
    apart = params | {"b.weight": params["b.weight"] + 1}
    assert run.untied(apart) == "tied parameters `b.weight` and `a.weight` are moved apart"
    assert run.untied(run.tied(apart)) == ""
    assert run.untied({"b.weight": params["b.weight"]}) == ""


def test_fresh_inputs_have_slices_of_sizes_of_their_own() -> None:
    x = torch.randn(64, 20, dtype=torch.float64)
    (fresh,) = fresh_inputs(Call((x,)), generator=torch.Generator().manual_seed(0)).args
    norms = fresh.norm(dim=1)
    assert norms.max() > 8 * norms.min()
    assert 0.2 < norms.median() / x.norm(dim=1).median() < 5


class Keyed:
    """Has keys and no way to apply a function."""

    keys = ("x",)

    def __init__(self) -> None:
        self.x = torch.ones(2)


class Applied:
    """Has a method of the name, and no keys."""

    def __init__(self) -> None:
        self.x = torch.ones(2)

    def apply(self, _: object) -> str:
        return "something else"


def test_only_what_has_both_is_a_graph_with_stores() -> None:
    for made in (Keyed(), Applied()):
        doubled = map_tensors(lambda x: 2 * x, made)
        assert type(doubled) is type(made)
        assert doubled.x.tolist() == [2, 2]
        assert made.x.tolist() == [1, 1]
