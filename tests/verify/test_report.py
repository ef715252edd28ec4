"""The report prints and becomes JSON, whatever is in it."""

import json

import torch

from parasym.core import tolerance_for
from parasym.groups import PositiveScaling
from parasym.verify import Report, Row, verify
from tests.verify.claims import claim, factor, hidden
from tests.verify.reference_models import mlp


def test_text_and_json() -> None:
    torch.manual_seed(0)
    model = mlp(4, 5, 6, 3)
    report = verify(model, claim(model, factor(PositiveScaling(5), *hidden("0", "2"))), (torch.randn(2, 4),))
    text = str(report)
    assert "holds: yes" in text
    assert "5 of 11 null directions explained" in text
    assert "rest: 6 unexplained" in text
    data = json.loads(report.to_json())
    assert data["completeness"]["nullity"] == 11
    assert data["completeness"]["complete"] == "no"
    assert data["rows"][1]["name"] == "scale(5) on 0.weight[0]"


def test_errors_that_are_not_finite_are_valid_json() -> None:
    row = Row(0, "S(2) on a", float("inf"), 1.0, "no", "NaN")
    report = Report("no", float("nan"), tolerance_for(torch.float64), 1, "float64", (row,))
    data = json.loads(report.to_json(), parse_constant=lambda _: 1 / 0)
    assert (data["error"], data["rows"][0]["error"]) == ("nan", "inf")
