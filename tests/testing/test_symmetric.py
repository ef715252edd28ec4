"""`assert_symmetric` passes what is true and raises on what is not."""

import pytest
import torch
from torch import nn

from parasym.core import SymmetryError
from parasym.groups import Permutation, PositiveScaling
from parasym.testing.symmetric import assert_symmetric
from tests.verify.claims import claim, factor, hidden
from tests.verify.reference_models import mlp

WIRE = hidden("0", "2")


def test_found_and_complete() -> None:
    torch.manual_seed(0)
    report = assert_symmetric(mlp(4, 5, 3), torch.randn(2, 4), complete=True)
    assert report.holds == "yes"
    assert all(row.moved > 0 for row in report.rows)


def test_false_claim_raises() -> None:
    torch.manual_seed(0)
    model = mlp(4, 5, 3, activation=nn.GELU)
    with pytest.raises(SymmetryError, match=r"does not hold(.|\n)*scale\(5\) on 0\.weight\[0\]"):
        assert_symmetric(model, torch.randn(2, 4), symmetry=claim(model, factor(PositiveScaling(5), *WIRE)))


def test_true_but_incomplete_claim_raises_when_asked() -> None:
    torch.manual_seed(0)
    model = mlp(4, 5, 3)
    symmetry = claim(model, factor(Permutation(5), *WIRE))
    assert assert_symmetric(model, torch.randn(2, 4), symmetry=symmetry).holds == "yes"
    with pytest.raises(SymmetryError, match="0 of 5"):
        assert_symmetric(model, torch.randn(2, 4), symmetry=symmetry, complete=True)
