"""Points beside given ones: other inputs where the model takes them, smaller steps where it gives NaN."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from parasym.core import Params
from parasym.functional import Call
from parasym.functional.evaluator import evaluator
from parasym.functional.points import Point, generic_point

X = torch.randn(4, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
W = torch.linspace(-2, 3, 8, dtype=torch.float64)


class Within(nn.Module):
    """Gives NaN where the weight is further away than so much of its own size, and refuses other inputs if it is told to."""

    def __init__(self, far: float, *, refuses: bool = False) -> None:
        super().__init__()
        self.w, self.far, self.refuses = nn.Parameter(W.clone()), far, refuses

    def forward(self, x: Tensor) -> Tensor:
        if self.refuses and not torch.equal(x, X):
            raise ValueError("other inputs")
        return x * self.w + (self.far - (self.w - W).norm() / W.norm()).sqrt()


def beside(model: nn.Module, *, fresh: bool = True) -> tuple[Params, Point | None]:
    run, params = evaluator(model, torch.float64, 0)
    return params, generic_point(run, params, ("w",), Call((X,)), torch.Generator().manual_seed(0), fresh=fresh)


@pytest.mark.parametrize(
    ("far", "new", "least", "most"), [(9.0, True, 0.3, 0.9), (0.2, False, 0.03, 0.2)], ids=["a large step", "a small step"]
)
def test_steps_are_as_large_as_the_model_allows(far: float, new: bool, least: float, most: float) -> None:
    params, point = beside(Within(far))
    assert point is not None
    assert point.finite
    assert least < float((point.params["w"] - params["w"]).norm() / W.norm()) < most
    assert torch.equal(point.inputs.tensors[0], X) is not new


def test_where_it_is_nan_everywhere_there_is_none() -> None:
    assert beside(Within(-1.0))[1] is None


@pytest.mark.parametrize("make", [lambda: beside(Within(9.0, refuses=True)), lambda: beside(Within(9.0), fresh=False)])
def test_given_inputs_are_kept_where_others_are_refused_or_not_asked_for(make: Callable[[], tuple[Params, Point | None]]) -> None:
    params, point = make()
    assert point is not None
    assert torch.equal(point.inputs.tensors[0], X)
    assert not torch.equal(point.params["w"], params["w"])


def test_what_the_model_raises_on_its_own_inputs_is_raised() -> None:
    model = Within(9.0, refuses=True)
    run, params = evaluator(model, torch.float64, 0)
    with pytest.raises(ValueError, match="other inputs"):
        generic_point(run, params, ("w",), Call((X + 1,)), torch.Generator().manual_seed(0))
