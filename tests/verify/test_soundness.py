"""True symmetries hold; every planted fault is caught; the user's model is left alone."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError, ShapeError, SymmetryError, model_params
from parasym.groups import GeneralLinear, Permutation, PositiveScaling, SignFlip, Translation
from parasym.symmetry import Symmetry
from parasym.verify import Report, verify
from tests.verify.claims import claim, factor, hidden
from tests.verify.reference_models import mlp

WIRE = hidden("0", "2")


def batch_norm(*, train: bool) -> nn.Sequential:
    """Return Linear, BatchNorm, ReLU, Linear with statistics that are not special."""
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    model(torch.randn(20, 4) * 2 + 1)
    return model.train(train)


BN_WIRE = (("0.weight", 0, 1), ("0.bias", 0, 1), ("1.weight", 0, 1), ("1.bias", 0, 1), ("3.weight", 1, -1))
STATISTICS = (("1.running_mean", 0, 1), ("1.running_var", 0, 1))
BEFORE = (("0.weight", 0, 1), ("0.bias", 0, 1), ("1.running_mean", 0, 1), ("1.running_var", 0, 2))


@dataclass(frozen=True)
class Case:
    """A model, a claim about it, and the verdict it deserves."""

    name: str
    build: Callable[[], nn.Module]
    claim: Callable[[nn.Module], Symmetry]
    reason: str = ""


TRUE = (
    Case("relu", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(Permutation(5), *WIRE), factor(PositiveScaling(5), *WIRE))),
    Case(
        "tanh",
        lambda: mlp(4, 5, 3, activation=nn.Tanh),
        lambda m: claim(m, factor(Permutation(5), *WIRE), factor(SignFlip(5), *WIRE)),
    ),
    Case("linear", lambda: mlp(4, 5, 3, activation=nn.Identity), lambda m: claim(m, factor(GeneralLinear(5), *WIRE))),
    Case("batch norm, train", lambda: batch_norm(train=True), lambda m: claim(m, factor(Permutation(5), *BN_WIRE, *STATISTICS))),
    Case(
        "batch norm, eval",
        lambda: batch_norm(train=False),
        lambda m: claim(
            m,
            factor(Permutation(5), *BN_WIRE, *STATISTICS),
            factor(PositiveScaling(5), *BEFORE, offsets={"1.running_var": m.get_submodule("1").eps}),  # pyright: ignore
        ),
    ),
    Case(
        "dropout",
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.Dropout()),
        lambda m: claim(m, factor(SignFlip(5), *WIRE)),
    ),
)

FAULTS = (
    Case("forgotten dual", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(PositiveScaling(5), *WIRE[:2], ("2.weight", 1, 1)))),
    Case("forgotten consumer", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(Permutation(5), *WIRE[:2]))),
    Case("forgotten bias", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(Permutation(5), WIRE[0], WIRE[2]))),
    Case("missing buffers", lambda: batch_norm(train=False), lambda m: claim(m, factor(Permutation(5), *BN_WIRE))),
    Case("forgotten epsilon", lambda: batch_norm(train=False), lambda m: claim(m, factor(PositiveScaling(5), *BEFORE))),
    Case("scale through GELU", lambda: mlp(4, 5, 3, activation=nn.GELU), lambda m: claim(m, factor(PositiveScaling(5), *WIRE))),
    Case("sign through ReLU", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(SignFlip(5), *WIRE))),
    Case(
        "permutation of the wrong axis",
        lambda: mlp(5, 5, 3),
        lambda m: claim(m, factor(Permutation(5), ("0.weight", 1, 1), *WIRE[1:])),
    ),
    Case("GL where only permutations hold", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(GeneralLinear(5), *WIRE))),
    Case("translation of a bias", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(Translation(5), WIRE[1]))),
    Case("moves nothing", lambda: mlp(4, 5, 3), lambda m: claim(m, factor(Permutation(5), ("2.weight", 1, 0))), "does nothing"),
    Case("group of one element", lambda: mlp(4, 1, 3), lambda m: claim(m, factor(Permutation(1), *WIRE)), "does nothing"),
)


def check(case: Case, **options: object) -> Report:
    """Return the report on a case, at zero biases and unit gains: the point at which faults hide."""
    torch.manual_seed(0)
    model = case.build()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("bias"):
                value.zero_()
    return verify(model, case.claim(model), (torch.randn(8, next(model.parameters()).shape[1]),), **options)  # pyright: ignore


@pytest.mark.parametrize("case", TRUE, ids=lambda c: c.name)
def test_true_symmetries_hold(case: Case) -> None:
    report = check(case)
    assert report.holds == "yes", str(report)
    assert report.error < 1e-12
    assert all(row.moved > 0.1 for row in report.rows)
    report.raise_if_fails()


@pytest.mark.parametrize("case", FAULTS, ids=lambda c: c.name)
@pytest.mark.parametrize("complete", [False, True])
def test_planted_faults_are_caught(case: Case, complete: bool) -> None:
    report = check(case, complete=complete)
    assert report.holds == "no", str(report)
    assert case.reason in report.rows[-1].reason
    with pytest.raises(SymmetryError, match="does not hold"):
        report.raise_if_fails()


def test_the_factor_to_blame_is_named() -> None:
    torch.manual_seed(0)
    model = mlp(4, 5, 6, 3)
    bad = factor(PositiveScaling(6), *hidden("2", "4")[:2])
    report = verify(model, claim(model, factor(Permutation(5), *WIRE), bad), (torch.randn(2, 4),))
    assert [row.holds for row in report.rows] == ["no", "yes", "no"]
    assert report.rows[2].name == "scale(6) on 2.weight[0]"


@pytest.mark.parametrize("kept", [(), STATISTICS[:1], STATISTICS[1:]])
def test_missing_statistics_are_caught_at_fresh_buffers(kept: tuple[tuple[str, int, int], ...]) -> None:
    """Fault: running statistics that stay, where all of them are still equal, so that a permutation does not show."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).eval()
    assert verify(model, claim(model, factor(Permutation(5), *BN_WIRE, *kept)), (torch.randn(8, 4),)).holds == "no"
    assert verify(model, claim(model, factor(Permutation(5), *BN_WIRE, *STATISTICS)), (torch.randn(8, 4),)).holds == "yes"


def test_model_and_randomness_are_left_alone() -> None:
    torch.manual_seed(0)
    model = batch_norm(train=True)
    before = {k: v.clone() for k, v in model_params(model).items()}
    state = torch.get_rng_state()
    verify(model, claim(model, factor(Permutation(5), *BN_WIRE, *STATISTICS)), (torch.randn(8, 4, generator=torch.Generator()),))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    assert all(torch.equal(v, before[k]) for k, v in model_params(model).items())
    assert model.training


class SingleInside(nn.Module):
    """RMS normalization that casts to single precision inside, as Llama's does."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 6), nn.Linear(6, 3)
        self.constant = torch.ones(6)

    def forward(self, x: Tensor) -> Tensor:
        h = (self.fc1(x) + self.constant).to(torch.float32)
        h = h * torch.rsqrt(h.float().pow(2).mean(-1, keepdim=True))
        return self.fc2(torch.nn.functional.softmax(h, dim=-1, dtype=torch.float32).type_as(x))


def test_casts_inside_do_not_hide_errors() -> None:
    torch.manual_seed(0)
    model = SingleInside()
    report = verify(model, claim(model, factor(Permutation(6), *hidden("fc1", "fc2"))), (torch.randn(8, 4),))
    assert report.holds == "yes"
    assert report.error < 1e-13


class Nested(nn.Module):
    """A model of nested outputs, some of them integers or missing."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(4, 5, 3)

    def forward(self, x: Tensor, *, scale: Tensor) -> dict[str, object]:
        y = self.body(x) * scale
        return {"logits": y, "extra": (None, [y.argmax(dim=-1), torch.fft.fft(y)]), "count": 3}


def test_nested_outputs_and_keywords() -> None:
    torch.manual_seed(0)
    model = Nested()
    good = claim(model, factor(Permutation(5), *hidden("body.0", "body.2")))
    bad = claim(model, factor(Permutation(5), *hidden("body.0", "body.2")[1:]))
    kwargs = {"scale": torch.tensor(2.0)}
    assert verify(model, good, (torch.randn(2, 4),), kwargs).holds == "yes"
    assert verify(model, bad, (torch.randn(2, 4),), kwargs).holds == "no"


class Opaque(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> object:
        return iter([self.fc(x)])


def test_outputs_that_cannot_be_compared_are_named() -> None:
    model = Opaque()
    with pytest.raises(BadInputError, match="list_iterator"):
        verify(model, claim(model), (torch.randn(2, 4),))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 5), nn.Linear(5, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x))


def test_tied_parameters_must_move_together() -> None:
    """Fault: a tie that the symmetry does not know."""
    torch.manual_seed(0)
    model, x = Tied(), torch.tensor([[0, 6, 3]])
    places = (("embed.weight", 1, 1), ("head.weight", 1, -1))
    assert verify(model, claim(model, factor(Permutation(5), places[0])), (x,)).rows[0].reason.startswith("tied")
    report = verify(model, claim(model, factor(GeneralLinear(5), *places)), (x,))
    assert (report.holds, report.rows[1].reason) == ("no", "tied parameters `head.weight` and `embed.weight` are moved apart")


def test_nan_is_unsure() -> None:
    torch.manual_seed(0)
    model = mlp(4, 5, 3)
    params = model_params(model) | {"0.bias": torch.full((5,), float("nan"))}
    report = verify(model, claim(model, factor(Permutation(5), *WIRE)), (torch.randn(2, 4),), params=params, complete=False)
    assert report.holds == "unsure"
    assert "NaN" in report.rows[0].reason
    with pytest.raises(SymmetryError, match="could not be proved"):
        report.raise_if_fails()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model, x = mlp(4, 5, 3), (torch.randn(8, 4),)
    good = verify(model, claim(model, factor(PositiveScaling(5), *WIRE)), x, dtype=dtype)
    assert good.holds == "yes"
    assert "float64" in good.notes[0]
    bad = verify(model, claim(model, factor(PositiveScaling(5), *WIRE[:2], ("2.weight", 1, 1))), x, dtype=dtype)
    assert bad.holds != "yes"


def test_same_generator_same_report() -> None:
    torch.manual_seed(0)
    model, x = mlp(4, 5, 3), torch.randn(2, 4)
    symmetry = claim(model, factor(PositiveScaling(5), *WIRE))
    first, second = (verify(model, symmetry, (x,), generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert first == second


def test_bad_arguments() -> None:
    model, x = mlp(4, 5, 3), (torch.randn(2, 4),)
    symmetry = claim(model, factor(Permutation(5), *WIRE))
    with pytest.raises(BadInputError, match="samples"):
        verify(model, symmetry, x, samples=0)
    with pytest.raises(BadInputError, match=r"0\.weight.*\(6, 4\)"):
        verify(model, symmetry, x, params=model_params(mlp(4, 6, 3)))
    with pytest.raises(ShapeError, match="another architecture"):
        verify(mlp(4, 6, 3), symmetry, x)
