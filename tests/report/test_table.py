"""Tables: for a terminal and for the page."""

import io

import pytest
import torch
from rich.console import Console

from parasym.core import BadInputError
from parasym.find import find
from parasym.report import Table, factor_table, report_tables, rich_table, symmetry_tables
from parasym.report.symmetry import coarse_table, shortened
from parasym.symmetry import Coarse, Symmetry, Uncovered
from parasym.verify import verify


def shown(*items: object) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    for item in items:
        console.print(item)
    return console.export_text()


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(BadInputError, match="a row must have 2 texts"):
        Table("t", (("a", "left"), ("b", "right")), (("1",),))


def test_markup_in_names_is_text() -> None:
    table = Table("t", (("name", "left"),), (("[bold]weight[0]",),), note="n = 3")
    assert "[bold]weight[0]" in shown(rich_table(table))
    assert "n = 3" in shown(rich_table(table))


def test_a_symmetry_has_one_row_per_factor() -> None:
    symmetry = find(network(), (torch.ones(2, 3),))
    table = factor_table(symmetry)
    assert table.title == "Symmetry: order 120, dimension 5"
    assert {row[0] for row in table.rows} == {"S(5)", "scale(5)"}
    assert all(row[2] == "5" and "0.weight" in row[5] for row in table.rows)


def test_what_is_not_known_is_shown() -> None:
    symmetry = Symmetry(
        (),
        (),
        uncovered=(Uncovered("aten.fft", "layer", "nets.py:7", "its wires"),),
        coarse=(Coarse("aten.gather", "heads", "nets.py:9", "by number", ("v", "w"), 35),),
        pinned=("w",),
        tied=(("a", "b"),),
    )
    text = shown(*symmetry_tables(symmetry))
    for words in (
        "trivial",
        "aten.fft",
        "nets.py:7",
        "aten.gather",
        "nets.py:9",
        "by number",
        "35",
        "v, w",
        "Pinned parameters (1): w",
        "a = b",
    ):
        assert words in text


def test_what_is_coarse_says_where_it_is_and_what_it_may_cost() -> None:
    pins = tuple(Coarse("aten.gather", module, "nets.py:9", "by number", tuple("abcde"), 35) for module in ("heads", ""))
    rows = coarse_table(Symmetry((), (), coarse=pins)).rows
    assert rows[0] == ("aten.gather", "heads", "nets.py:9", "by number", "5", "35", "a, b, c, d and 1 more")
    assert rows[1][1] == "the model"
    assert shortened(tuple("abcd")) == "a, b, c, d"


def test_a_report_shows_verdict_errors_and_counts() -> None:
    model, x = network(), torch.randn(8, 3)
    text = shown(*report_tables(verify(model, find(model, (x,)), (x,))))
    for words in ("Soundness: yes", "Completeness: yes", "explained by the symmetry", "holds: yes"):
        assert words in text


@pytest.mark.parametrize("strong", [(2,), (0, -1)])
def test_a_row_to_stress_must_be_there(strong: tuple[int, ...]) -> None:
    with pytest.raises(BadInputError, match=r"row -?\d is to be stressed, but there are 2"):
        Table("t", (("a", "left"),), (("x",), ("y",)), strong=strong)


def test_a_row_that_is_stressed_is_bold() -> None:
    table = Table("t", (("a", "left"),), (("first",), ("second",)), strong=(1,))
    console = Console(width=40, file=io.StringIO(), force_terminal=True, color_system="standard", legacy_windows=False)
    console.print(rich_table(table))
    lines = console.file.getvalue().splitlines()  # pyright: ignore[reportAttributeAccessIssue]
    assert ["\x1b[1m" in line for line in lines if "first" in line or "second" in line] == [False, True]
