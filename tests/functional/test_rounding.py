"""An error is rounding if rounding at random makes one as large, however badly a model is conditioned; a fault is not."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from parasym.core import Params, tolerance_for
from parasym.find import find
from parasym.functional import Call
from parasym.functional.evaluator import evaluator
from parasym.functional.points import Point
from parasym.functional.rounding import Change, RandomRounding, change_at
from parasym.symmetry import Symmetry
from parasym.verify import same_function, verify

BOUND = tolerance_for(torch.float64)


def faint(layers: int = 6, size: float = 1e-2) -> nn.Sequential:
    """Return layers with BatchNorm in eval mode whose activations get fainter and fainter, as in a MobileNet freshly made."""
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU()) for _ in range(layers)]
    model = nn.Sequential(*blocks, nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        for block in blocks:
            block.get_parameter("0.weight").mul_(size)
            block.get_parameter("0.bias").zero_()
    return model.eval()


X = (torch.randn(5, 4, generator=torch.Generator().manual_seed(1)),)


def test_a_true_symmetry_of_a_badly_conditioned_model_holds():
    model = faint()
    symmetry = find(model, X, check=True)
    report = verify(model, symmetry, X, complete=False)
    assert report.error > 1e-10  # the shifts of size one that are taken back leave so much
    assert report.holds == "yes"
    assert "rounding may change the outputs by" in report.rows[0].reason
    assert not symmetry.refuted


@pytest.mark.parametrize("fault", [1e-4, 1e-8])
def test_a_small_fault_of_such_a_model_is_refused(fault: float):
    model = faint()

    class Spoiled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model

        def forward(self, x: Tensor) -> Tensor:
            h = self.layers[:3](x)
            return self.layers[3:](h + fault * h * torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=h.dtype))

    class Plain(Spoiled):
        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    symmetry = find(Plain(), X)
    assert verify(Plain(), symmetry, X, complete=False).holds == "yes"
    report = verify(Spoiled(), symmetry, X, complete=False)
    assert report.holds == "no"
    bad = [row.name for row in report.rows[1:] if row.holds != "yes"]
    assert len(bad) == 1
    assert bad[0].startswith("S(4)")


def test_where_rounding_hides_everything_nothing_is_said():
    model = faint(layers=12)
    symmetry = find(model, X)
    assert verify(model, symmetry, X, samples=1, complete=False).holds == "unsure"  # at its own parameters
    assert verify(model, symmetry, X, samples=3, complete=False).holds == "yes"  # at others, too
    element = symmetry.sample(generator=torch.Generator().manual_seed(0))
    assert same_function(model, element, dict(model.state_dict()), X).holds == "unsure"


CANCELS: dict[str, Callable[[Tensor], Tensor]] = {
    "a difference of large numbers": lambda x: (x + 1e6) - 1e6,
    "logarithm and back": lambda x: (x * 1e-6).exp().log() * 1e6,
    "in place": lambda x: x.clone().add_(1e6).sub_(1e6),
    "a single precision inside": lambda x: (x.float() * 3.7).to(torch.float64),
    "a sum": lambda x: torch.cat([x, torch.full_like(x, 1e6), torch.full_like(x, -1e6)], -1).cumsum(-1)[..., -1:] + x,
}


@pytest.mark.parametrize("name", CANCELS)
def test_what_an_operation_rounds_is_seen(name: str):
    """Two ways to write a number that differ by rounding only."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.tensor([0.3, 0.7, 0.9, 0.31]))

        def forward(self, x: Tensor) -> Tensor:
            return CANCELS[name](x * self.a)

    run, params = evaluator(Twice(), torch.float64, 0)
    run = type(run)(**{**vars(run), "exact": False})  # casts stay casts
    call = Call((torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64),))
    with torch.no_grad():
        point = Point(params, call, run(params, call))

    def act(by: float) -> Callable[[Params], Params]:
        return lambda p: {"a": ((p["a"] / 3.0 + 1.0) - 1.0) * 3.0 * (1 + by)}

    for by, expected in ((0.0, True), (1e-3, False)):
        move = act(by)
        change = change_at(run, point, move(params), move, torch.Generator().manual_seed(0))
        assert (change.error <= max(BOUND.holds, change.rounding)) is expected, (by, change)


def test_whole_numbers_and_views_are_exact():
    with RandomRounding(torch.Generator().manual_seed(0)):
        x = torch.arange(6.0, dtype=torch.float64) * 2
        assert torch.equal(x.view(2, 3).mT.floor(), torch.tensor([[0.0, 6.0], [2.0, 8.0], [4.0, 10.0]], dtype=torch.float64))
        y = torch.tensor([0.1, -math.inf, torch.finfo(torch.float64).min], dtype=torch.float64) * 1
    assert float(y[0]) != 0.1
    assert abs(float(y[0]) - 0.1) < 1e-16
    assert y[1:].tolist() == [-math.inf, torch.finfo(torch.float64).min]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex128])
def test_rounding_goes_to_the_next_number_up_or_down_as_often(dtype: torch.dtype):
    eps = torch.finfo(dtype).eps
    x = torch.full((4000,), 1.125, dtype=dtype) * (1 + 2 * eps)  # whose neighbours are one eps away
    with RandomRounding(torch.Generator().manual_seed(0)):
        steps = ((x * 1).sub_(x) / eps).real.double() if dtype.is_complex else (x + 0).double().sub(x.double()).div(eps)
    values, counts = steps.round().unique(return_counts=True)
    assert values.tolist() == [-1.0, 1.0]
    assert abs(int(counts[0]) - 2000) < 200


def test_verdicts():
    for error, rounding, expected in (
        (1e-12, 0.0, "yes"),
        (1e-8, 1e-9, "no"),
        (1e-8, 1e-7, "yes"),
        (1e-2, 1e-1, "unsure"),
        (1e-2, 1e-4, "no"),
        (1e-8, math.inf, "unsure"),
        (math.inf, 0.0, "no"),
        (math.nan, 0.0, "unsure"),
    ):
        assert Change(error, rounding, BOUND).holds == expected


def test_a_move_by_chance_the_identity_is_drawn_again():
    symmetry: Symmetry = find(nn.Sequential(nn.Linear(2, 1), nn.Tanh(), nn.Linear(1, 2)), (torch.zeros(3, 2),))
    assert symmetry.order == 2
    generator = torch.Generator().manual_seed(0)
    draws = [float(symmetry.sample(generator=generator).moves[0].value) for _ in range(20)]
    assert set(draws) == {1.0, -1.0}
    assert {float(symmetry.sample(generator=generator, nontrivial=True).moves[0].value) for _ in range(20)} == {-1.0}
