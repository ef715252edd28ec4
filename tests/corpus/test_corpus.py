"""What is pinned for want of a finer rule, summed over many models, may only shrink."""

import json

import pytest

from corpus.__main__ import COUNTED, KEPT, counts_of, grown, main, read, total
from corpus.models import MODELS, SMALL
from parasym.rules import BY_NAME, Builder, Value
from parasym.rules.rule import Rule


def test_it_has_not_grown() -> None:
    rows = {name: counts_of(build) for name, build in SMALL.items()}
    assert not grown(rows, read())
    kinds = [row for name, row in rows.items() if name.startswith("kind")]
    assert all(row["pins"] for row in kinds)
    assert not any(row["pins"] for name, row in rows.items() if name.startswith("zoo"))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MODELS.keys() - SMALL.keys()))
def test_it_has_not_grown_on_the_others(name: str) -> None:
    assert not grown({name: counts_of(MODELS[name])}, read())


def test_the_sum_is_that_of_the_models() -> None:
    document = json.loads(KEPT.read_text())
    assert document["total"] == total(document["models"].values())
    assert set(document["models"]) <= set(MODELS)
    assert all(tuple(row) == COUNTED for row in document["models"].values())


def test_a_rule_for_what_had_none_may_be_coarse() -> None:
    kept = {"m": {"pins": 0, "parameters": 0, "numbers": 0, "uncovered": 1}}
    coarse = {"pins": 1, "parameters": 2, "numbers": 9, "uncovered": 0}
    assert grown({"m": coarse}, kept) == []
    assert grown({"m": coarse | {"uncovered": 1}}, kept) == ["m: pins 0 -> 1, parameters 0 -> 2, numbers 0 -> 9"]
    assert grown({"m": coarse | {"uncovered": 2, "pins": 0}}, kept) == ["m: parameters 0 -> 2, numbers 0 -> 9, uncovered 1 -> 2"]
    assert grown({"n": coarse}, kept) == ["n: pins 0 -> 1, parameters 0 -> 2, numbers 0 -> 9"]
    assert grown({"n": dict.fromkeys(coarse, 0)}, kept) == []


def test_a_rule_that_pins_more_is_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["corpus", "zoo: mlp_sigmoid"])
    assert main() == 0

    def lower(b: Builder, x: Value) -> Value:
        last = len(x.shape) - 1
        return b.fixed(x, x.shape, [(k, k) for k in range(last)], reason="a fault", coarse=[((last,), (last,))])

    monkeypatch.setitem(BY_NAME, "sigmoid", Rule(("sigmoid",), lower))
    before = KEPT.read_text()
    assert main() == 1
    monkeypatch.setattr("sys.argv", ["corpus", "zoo: mlp_sigmoid", "--write"])
    assert main() == 1
    assert KEPT.read_text() == before
    assert "zoo: mlp_sigmoid: pins 0 -> 1, parameters 0 -> 3" in capsys.readouterr().out
