"""The rank of the Jacobian against known models, and what is left when too little is claimed."""

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.groups import GeneralLinear, Permutation, PositiveScaling
from parasym.verify import verify
from tests.verify.claims import claim, factor, hidden
from tests.verify.reference_models import REFERENCES, Reference, mlp


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.name)
def test_reference_is_explained(reference: Reference) -> None:
    torch.manual_seed(0)
    model, x = reference.build(), torch.randn(reference.shape)
    report = verify(model, find(model, (x,)), (x,))
    found = report.completeness
    assert report.holds == "yes"
    assert found is not None
    assert (found.explained, found.nullity, found.complete) == (reference.nullity, reference.nullity, "yes"), str(report)


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.name)
def test_reference_rank(reference: Reference) -> None:
    torch.manual_seed(0)
    model = reference.build()
    report = verify(model, claim(model), (torch.randn(reference.shape),))
    found = report.completeness
    assert found is not None
    assert (found.parameters, found.rank, found.nullity, found.explained) == (
        reference.parameters,
        reference.rank,
        reference.nullity,
        0,
    )
    assert found.trustworthy
    assert found.gap > 1e8
    assert found.complete == ("yes" if reference.nullity == 0 else "no")
    assert sum(rest.dimension for rest in found.rest) == reference.nullity


def test_scalings_explain_relu() -> None:
    torch.manual_seed(0)
    model = mlp(4, 5, 6, 3)
    symmetry = claim(model, factor(PositiveScaling(5), *hidden("0", "2")), factor(PositiveScaling(6), *hidden("2", "4")))
    found = verify(model, symmetry, (torch.randn(2, 4),)).completeness
    assert found is not None
    assert (found.explained, found.nullity, found.complete, found.rest) == (11, 11, "yes", ())


def test_orbit_smaller_than_group() -> None:
    """GL(5) x GL(6) has 61 dimensions and the biases' translations 11, but the orbit has only 67 in all."""
    torch.manual_seed(0)
    model = mlp(4, 5, 6, 3, activation=nn.Identity)
    symmetry = claim(model, factor(GeneralLinear(5), *hidden("0", "2")), factor(GeneralLinear(6), *hidden("2", "4")))
    report = verify(model, symmetry, (torch.randn(2, 4),))
    found = report.completeness
    assert (report.holds, symmetry.dimension) == ("yes", 61)
    assert found is not None
    assert (found.nullity, found.explained) == (67, 61)
    assert [(rest.kind, rest.dimension) for rest in found.rest] == [("unreachable input directions", 6)]


def test_forgotten_layer_is_noticed() -> None:
    """Fault: a true symmetry that claims too little."""
    torch.manual_seed(0)
    model = mlp(4, 5, 6, 3)
    report = verify(model, claim(model, factor(PositiveScaling(5), *hidden("0", "2"))), (torch.randn(2, 4),))
    found = report.completeness
    assert report.holds == "yes"
    assert found is not None
    assert (found.explained, found.nullity, found.complete) == (5, 11, "no")
    assert [(rest.kind, rest.dimension) for rest in found.rest] == [("unexplained", 6)]
    assert {"2.weight", "2.bias", "4.weight"} <= set(found.rest[0].tensors)


def test_false_generator_is_noticed() -> None:
    """Fault: a scaling through GELU is no null direction."""
    torch.manual_seed(0)
    model = mlp(4, 5, 3, activation=nn.GELU)
    found = verify(model, claim(model, factor(PositiveScaling(5), *hidden("0", "2"))), (torch.randn(2, 4),)).completeness
    assert found is not None
    assert found.residual > 1e-3
    assert (found.explained, found.complete) == (0, "unsure")


class WithRest(nn.Module):
    """A ReLU that never fires, a parameter that is never read, and a second layer whose input is confined to a plane."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(2, 5, bias=False)
        self.after = nn.Linear(5, 4)
        self.out = nn.Linear(4, 3)
        self.unused = nn.Parameter(torch.ones(7))

    def forward(self, x: Tensor) -> Tensor:
        h = self.after(self.wide(x))
        return self.out((h - torch.tensor([0.0, 0.0, 0.0, 1e6], dtype=h.dtype)).relu())


def test_rest_by_kind() -> None:
    torch.manual_seed(0)
    model = WithRest()
    found = verify(model, claim(model), (torch.randn(2, 2),)).completeness
    assert found is not None
    rest = {r.kind: r for r in found.rest}
    assert rest["unused parameter"].dimension == 7
    assert rest["unused parameter"].tensors == ("unused",)
    # The dead unit has 5 incoming weights, 1 bias, 3 outgoing weights.
    assert rest["dead unit"].dimension == 9
    assert set(rest["dead unit"].tensors) == {"after.weight", "after.bias", "out.weight"}
    # The input of `after` spans 2 of 5 dimensions, for each of its 3 living units.
    assert rest["unreachable input directions"].dimension == 9
    assert "after.weight" in rest["unreachable input directions"].tensors


class BehindMask(nn.Module):
    """A layer two of whose entries never reach the output, in no row or column of their own."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)
        self.register_buffer("mask", torch.tensor([[0, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 1]]).bool())

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.where(self.mask, self.first.weight, 0.5)
        return self.second(nn.functional.linear(x, weight, self.first.bias).tanh())


def test_frozen_entries_are_named() -> None:
    torch.manual_seed(0)
    model = BehindMask()
    found = verify(model, claim(model), (torch.randn(2, 3),)).completeness
    assert found is not None
    assert [(rest.kind, rest.dimension, rest.tensors) for rest in found.rest] == [("frozen entry", 2, ("first.weight",))]


def test_tokens_and_log_softmax() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 4), nn.LogSoftmax(dim=-1))
    found = verify(model, claim(model), (torch.tensor([[0, 4], [1, 2]]),)).completeness
    assert found is not None
    # Logits are tables per position: GL(3) between embedding and head, shift of all tokens into the bias (3),
    # and the common shift of the last layer (6 weights, 1 bias). The two positions share the embedding.
    assert found.nullity == 9 + 3 + 7
    assert found.trustworthy


def test_train_mode_statistics_are_not_parameters() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).train()
    places = (*hidden("0", "3"), *[(f"1.{n}", 0, 1) for n in ("weight", "bias", "running_mean", "running_var")])
    report = verify(model, claim(model, factor(Permutation(5), *places)), (torch.randn(8, 4),))
    assert report.holds == "yes"
    assert report.completeness is not None
    assert report.completeness.parameters == 53


def test_too_many_parameters_are_not_computed() -> None:
    model = mlp(60, 60, 3)
    report = verify(model, claim(model), (torch.randn(2, 60),))
    assert report.completeness is None
    assert "P=3843" in report.notes[0]
