"""The tables of the demo, from numbers made up by hand."""

from types import SimpleNamespace as Made
from typing import Any

from parasym.cli.demo_tables import network_table, pair_table
from parasym.studies import Score


def score(accuracy: float, loss: float = 0.5) -> Score:
    return Score(loss=loss, accuracy=accuracy)


def merging() -> Any:
    networks = [Made(seed=k, test=score(0.9 + k / 100), train=score(0.99)) for k in range(3)]
    pair = {
        "naive_midpoint": score(0.3, 2.0),
        "matched_midpoint": score(0.8, 0.6),
        "naive": Made(maximum=1.5),
        "matched": Made(maximum=0.1),
        "distance": 10.0,
        "matched_distance": 4.0,
    }
    return Made(
        task=Made(architecture=Made(title="perceptron")),
        networks=networks,
        pairs=[Made(**pair), Made(**pair)],
        naive_all=score(0.2),
        matched_all=score(0.85),
        ensemble=score(0.95),
    )


def test_the_merge_is_stressed() -> None:
    table = network_table(merging())
    assert [row[0] for row in table.rows] == [
        *(f"seed {k}" for k in range(3)),
        "all averaged, naive",
        "all merged, matched",
        "ensemble of all predictions",
    ]
    assert [table.rows[k][0] for k in table.strong] == ["all merged, matched"]
    assert [row[2] for row in table.rows] == ["90.0 %", "91.0 %", "92.0 %", "20.0 %", "85.0 %", "95.0 %"]


def test_naive_comes_before_matched() -> None:
    table = pair_table(merging())
    assert [name for name, _ in table.columns] == ["", "naive", "matched"]
    assert [row[1:] for row in table.rows] == [
        ("2.000 ± 0.000", "0.600 ± 0.000"),
        ("30.0 ± 0.0 %", "80.0 ± 0.0 %"),
        ("1.500 ± 0.000", "0.100 ± 0.000"),
        ("10.000 ± 0.000", "4.000 ± 0.000"),
    ]
    assert "n = 2 pairs" in table.note
