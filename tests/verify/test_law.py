"""A model that draws random numbers is asked for its law: a true claim is not refused, a false one not let through."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.find import find
from parasym.functional.randomness import FollowingDraws
from parasym.groups import GeneralLinear, Permutation, PositiveScaling, Translation
from parasym.symmetry import group_name
from parasym.verify import verify
from tests.verify.claims import claim, factor, hidden


class Between(nn.Module):
    def __init__(self, op: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.op, self.second = nn.Linear(3, 4), op, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.op(self.first(x)))


class Attention(nn.Module):
    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(4, 2, dropout=dropout, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self, width: int = 0) -> None:
        super().__init__()
        self.layer, self.last = nn.LSTM(4, 3, 2, dropout=0.3, batch_first=True, proj_size=width), nn.Linear(width or 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x)[0])


class Connections(nn.Module):
    """Dropout of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(functional.linear(x, functional.dropout(self.first.weight, 0.3), self.first.bias))
        return functional.linear(h, functional.dropout(self.second.weight, 0.3))


VECTORS, SEQUENCES, IMAGES = torch.randn(5, 3), torch.randn(3, 5, 4), torch.randn(2, 3, 6, 6)
CONV = lambda op: nn.Sequential(nn.Conv2d(3, 4, 3), op, nn.Conv2d(4, 2, 3))  # noqa: E731
MODELS: dict[str, tuple[Callable[[], nn.Module], Tensor, set[str]]] = {
    "dropout": (lambda: Between(nn.Dropout(0.5)), VECTORS, {"S(4)", "scale(4)", "signs(4)"}),
    "dropout after a rectifier": (lambda: Between(nn.Sequential(nn.ReLU(), nn.Dropout(0.1))), VECTORS, {"S(4)", "scale(4)"}),
    "dropout of channels": (lambda: CONV(nn.Dropout2d(0.3)), IMAGES, {"S(4)", "scale(4)", "signs(4)"}),
    "alpha dropout": (lambda: Between(nn.AlphaDropout(0.3)), VECTORS, {"S(4)"}),
    "alpha dropout of channels": (lambda: CONV(nn.FeatureAlphaDropout(0.3)), IMAGES, {"S(4)"}),
    "random slopes": (lambda: Between(nn.RReLU()), VECTORS, {"S(4)", "scale(4)"}),
    "noise": (lambda: Between(lambda x: torch.tanh(x) + 0.1 * torch.randn_like(x)), VECTORS, {"S(4)"}),
    "coins": (lambda: Between(lambda x: torch.bernoulli(torch.sigmoid(x))), VECTORS, {"S(4)"}),
    "dropout of weights": (Connections, VECTORS, {"S(4)", "scale(4)"}),
    # What is left of the weights of attention no longer sums to one: a bias of the values does not pass.
    "attention": (Attention, SEQUENCES, {"S(2)", "GL(2)^2", "shift(4)"}),
    "recurrence": (Recurrent, SEQUENCES, {"S(3)", "signs(3)", "shift(3)"}),
    "in 16 bits": (lambda: Between(nn.Dropout(0.5)).bfloat16(), VECTORS.bfloat16(), {"S(4)", "scale(4)", "signs(4)"}),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_claim_in_law_holds_and_is_called_one(name: str):
    build, x, expected = MODELS[name]
    torch.manual_seed(0)
    model = build().train()
    symmetry = find(model, (x,))
    assert {group_name(f) for f in symmetry.factors} == expected
    report = verify(model, symmetry, (x,), complete=False)
    assert report.holds == "yes"
    assert report.law
    assert "in law" in str(report)
    assert not verify(model.eval(), find(model, (x,)), (x,), complete=False).law or name in (
        "noise",
        "coins",
        "dropout of weights",
    )


def test_what_mixes_channels_does_not_pass_dropout():
    model = Between(nn.Dropout(0.5))
    places = hidden("first", "second")
    for group, expected in ((GeneralLinear(4), "no"), (PositiveScaling(4), "yes"), (Permutation(4), "yes")):
        assert verify(model, claim(model, factor(group, *places)), (VECTORS,), complete=False).holds == expected
        assert verify(model.eval(), claim(model, factor(group, *places)), (VECTORS,), complete=False).holds == "yes"
        model.train()
    forgetful = claim(model, factor(Permutation(4), *places[:2]))
    assert verify(model, forgetful, (VECTORS,), complete=False).holds == "no"


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("build", [Attention, lambda: Recurrent(2)])
def test_what_holds_without_dropout_is_refused_with_it(build: Callable[[], nn.Module]):
    torch.manual_seed(0)
    model = build()
    without = find(model.eval(), (SEQUENCES,))
    assert verify(model, without, (SEQUENCES,), complete=False).holds == "yes"
    report = verify(model.train(), without, (SEQUENCES,), complete=False)
    assert report.holds == "no"
    kinds = {type(without.factors[row.factor].group) for row in report.rows if row.holds == "no" and row.factor is not None}
    assert kinds in ({Translation}, {GeneralLinear})
    verify(model, find(model, (SEQUENCES,)), (SEQUENCES,), complete=False).raise_if_fails()


def test_numbers_that_stay_in_place_leave_it_open():
    model = Between(lambda x: torch.tanh(x) * torch.rand(x.shape, dtype=x.dtype))
    report = verify(model, claim(model, factor(Permutation(4), *hidden("first", "second"))), (VECTORS,))
    assert report.holds == "unsure"
    assert any("follow nothing" in note for note in report.notes)
    verify(model, find(model, (VECTORS,)), (VECTORS,)).raise_if_fails()  # signs hold for fixed numbers too


def test_one_sample_is_said_to_be_too_few():
    model = Between(nn.Dropout(0.5))
    report = verify(model, find(model, (VECTORS[:1],)), (VECTORS[:1],), complete=False)
    assert report.holds == "yes"
    assert any("one sample" in note for note in report.notes)


def test_draws_that_follow_nothing_are_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("parasym.functional.randomness.uniform", lambda x: torch.linspace(0, 1, x.numel()).reshape(x.shape).to(x))
    model = Between(nn.Dropout(0.5))
    assert verify(model, find(model, (VECTORS,)), (VECTORS,), complete=False).holds == "no"
    assert FollowingDraws().seen == set()


@pytest.mark.parametrize(("dtype", "expected"), [(torch.bfloat16, (1e-4, 1e-1)), (torch.float16, (1e-5, 1e-2))])
def test_sixteen_bits_are_said_to_be_rounded(dtype: torch.dtype, expected: tuple[float, float]):
    torch.manual_seed(0)
    model = Between(lambda x: torch.relu(x).to(dtype).to(x.dtype))
    report = verify(model, find(model, (VECTORS,)), (VECTORS,))
    assert report.holds == "yes"
    assert report.as_written is not None
    assert expected[0] < report.as_written < expected[1]
    assert any(str(dtype).removeprefix("torch.") in note and "exact arithmetic" in note for note in report.notes)
    plain = verify(Between(torch.relu), find(model, (VECTORS,)), (VECTORS,))
    assert plain.as_written is None
    assert not any("exact" in note for note in plain.notes)


def test_a_model_in_half_precision_is_compared_as_it_is():
    model = Between(torch.relu).to(torch.bfloat16)
    x = VECTORS.to(torch.bfloat16)
    report = verify(model, find(model, (x,)), (x,))
    assert report.holds == "yes"
    assert 0 < (report.as_written or 0) < 0.2
    assert next(model.parameters()).dtype == torch.bfloat16
