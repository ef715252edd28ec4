"""The page of a hop, from numbers made up by hand."""

from types import SimpleNamespace as Made
from typing import Any

import numpy as np

from parasym.report import HopResult, hop_page, hop_table, runs_table


def found(*, moved: bool) -> HopResult:
    orbit: Any = Made(symmetry=Made(order=64), surviving=Made(order=4), cosets=Made(order=16))
    made: Any = Made(before=-1.25, after=-2.0 if moved else -1.25, gain=0.75 * moved, moved=moved, evaluations=9)
    runs = {"hops": np.array([[1.0, -1.0], [1.0, -2.0]]), "none": np.array([[1.0, 0.5]])}
    return HopResult("ring", orbit, made, np.array([-2.0, -1.25, -1.5]), runs, {"hops": 100.0, "none": 50.0}, "two starts")


def test_numbers_of_a_hop() -> None:
    assert {row[0]: row[1] for row in hop_table(found(moved=True)).rows} == {
        "equivalent points without noise": "64",
        "of which the noise leaves equal": "4",
        "levels to hop between, at most": "16",
        "cost before": "-1.25",
        "cost after": "-2",
        "circuits for the hop": "9",
    }
    stays = {row[0]: row[1] for row in hop_table(found(moved=False)).rows}
    assert stays["cost after"] == "stays: nothing better was found"


def test_cards_tell_the_spread_and_the_gain() -> None:
    page = hop_page(found(moved=True), command="parasym hop ring")
    assert [str(value) for card in page.cards for value in vars(card).values() if value in {"64", "0.75"}] == [
        "64",
        "0.75",
        "0.75",
    ]
    assert "over 3 of them" in str(page.cards[1])
    assert [card.value for card in page.cards] == ["64", "0.75", "0.75"]


def test_where_every_method_ended() -> None:
    assert runs_table(found(moved=True)).rows == (
        ("hops", "2", "-1.5", "-2", "-1", "100"),
        ("none", "1", "0.5", "0.5", "0.5", "50"),
    )
