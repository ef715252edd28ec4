"""The forest plot: where marks are, what they look like, and where they lead."""

import math
import re
from dataclasses import replace

import pytest

from parasym.report.forest import MARKS, ClaimGroup, forest_figure, position
from parasym.studies import Claim, Estimate

HELD = Claim("barrier", "A", "<", "B", Estimate(-0.6, -0.8, -0.4, 5), scale=0.8, said="0.1 < 0.4", theirs=-0.75)
REFUTED = Claim("barrier", "C", "<", "B", Estimate(0.6, 0.4, 0.8, 5), scale=0.8)
OPEN = Claim("share", "C", ">", 0.9, Estimate(-0.1, -0.3, 0.1, 5), scale=0.1)
EQUAL = Claim("barrier", "A", "=", 0.0, Estimate(0.01, -0.01, 0.03, 5), margin=0.05)


def svg(*claims: Claim, href: str = "there.md#part-0") -> str:
    return forest_figure([ClaimGroup("one", claims, href)], title="T").svg


def marks(text: str) -> list[str]:
    return re.findall(r'id="claim-\d+-\d+-([^"]*)"', text)


def test_what_is_claimed_is_on_the_right() -> None:
    for claim, wanted in ((HELD, (0.75, 0.5, 1.0)), (REFUTED, (-0.75, -1.0, -0.5)), (OPEN, (-1.0, -3.0, 1.0))):
        found = position(claim)
        assert found is not None
        assert (found.mean, found.low, found.high) == pytest.approx(wanted)
    turned = position(replace(HELD, sense=">"))
    assert turned is not None
    assert turned.mean == pytest.approx(-0.75)


def test_equalities_are_in_margins_with_the_interval_of_two_one_sided_tests() -> None:
    found = position(EQUAL)
    assert found is not None
    assert found.mean == pytest.approx(0.2)
    assert found.high < 0.6  # that of 95 % ends at 0.6
    assert position(replace(EQUAL, margin=None)) is None
    assert position(replace(HELD, ours=None)) is None


def test_verdicts_differ_by_shape_and_by_color() -> None:
    for k in (0, 1):
        assert len({mark[k] for mark in MARKS.values()}) == 3
    assert marks(svg(HELD, REFUTED, OPEN, EQUAL)) == ["yes-0.750", "paper-0.750", "no--0.750", "unsure--1.000", "yes-0.200"]


def test_every_row_is_a_link_and_what_has_no_number_says_why() -> None:
    text = svg(HELD, replace(REFUTED, ours=None))
    assert text.count('xlink:href="there.md#part-0"') >= 5  # two texts and the heading, a mark, a tick
    assert ">nothing measured</text>" in text
    assert ">no margin</text>" in svg(replace(EQUAL, margin=None)), "the whole reason is wider than the axis"
    assert marks(text)[-1] == "unsure"


def test_what_is_beyond_the_axis_is_an_arrow_at_its_end() -> None:
    far = Claim("barrier", "A", "=", 0.0, Estimate(9.0, 8.0, 10.0, 5), margin=0.05)
    assert marks(svg(far)) == ["no-180.000"]
    endless = replace(HELD, ours=Estimate(-0.6, -math.inf, math.inf, 1))
    assert marks(svg(endless))[0] == "unsure-0.750"
    assert "inf" not in svg(endless)


def test_the_alternative_text_lists_what_is_in_it() -> None:
    found = forest_figure(
        [ClaimGroup("one", (HELD, REFUTED), "#a"), ClaimGroup("two", (OPEN,), "#b"), ClaimGroup("no", (), "#c")], title="T"
    )
    assert found.alt == (
        "T: forest plot of 3 claims, of which 1 hold, 1 do not hold, 1 not settled. one: 1 hold, 1 do not hold, 0 not settled; "
        "two: 0 hold, 0 do not hold, 1 not settled. What does not hold: barrier: C < B (one)."
    )


def test_many_claims_stand_in_columns_and_none_is_lost() -> None:
    groups = [ClaimGroup(f"part {k}", (HELD,) * 6, f"#part-{k}") for k in range(20)]
    text = forest_figure(groups, title="T").svg
    assert sum(mark.startswith("yes") for mark in marks(text)) == 120
    assert len(set(re.findall(r'id="claim-(\d+)-', text))) == 3
    assert len(re.findall(r'xlink:href="#part-19"', text)) >= 7


def test_names_cannot_become_markup() -> None:
    text = svg(replace(HELD, a="<script>alert(1)</script>-->"), href="#part-0")
    assert "<script" not in text
    assert "-->" not in re.sub(r"<!--[^<>]*-->", "", text)


def test_the_margin_of_an_equality_is_a_band_behind_its_row() -> None:
    text = svg(EQUAL, HELD, EQUAL)
    bands = re.findall(r'<g id="FillBetween.*?<path [^>]*d="([^"]*)".*?<use [^>]*y="([^"]*)"', text, re.DOTALL)
    found = re.findall(r'<g id="claim-0-\d-yes.*?<use [^>]*y="([^"]*)"', text, re.DOTALL)
    places = [float(place) for place in found]
    row = places[1] - places[0]
    assert len(bands) == 2
    for (path, start), place in zip(bands, places[::2], strict=True):
        edges = [float(start) + float(y) for _, y in re.findall(r"(\S+) (\S+) ?\n", path)]
        assert (min(edges) + max(edges)) / 2 == pytest.approx(place, abs=1e-3)
        assert 0.7 * row < max(edges) - min(edges) < row  # neighbours do not touch


def test_the_axis_has_its_numbers_at_their_places_in_letters_of_one_size() -> None:
    text = svg(HELD, REFUTED)
    found = re.findall(r'font-size: ([\d.]+)px[^>]* x="([\d.]+)"[^>]*>(−?\d|← against[^<]*)<', text)
    sizes, places, words = zip(*found, strict=True)
    assert [word for word in words if word[0] != "←"] == ["−2", "−1", "0", "1", "2"]
    start, end = float(places[0]), float(places[4])
    assert [float(x) for x in places[:5]] == pytest.approx([start + k / 4 * (end - start) for k in range(5)])
    assert float(places[5]) == pytest.approx((start + end) / 2)
    assert len(words) == 6
    assert len(set(sizes)) == 1
    spots = re.findall(r'<g id="claim-0-\d-(?:yes|no)-(-?[\d.]+)">.*?<use [^>]*x="([^"]*)"', text, re.DOTALL)
    assert [float(x) for _, x in spots] == pytest.approx([start + (float(v) + 2) / 4 * (end - start) for v, _ in spots], abs=0.1)


def test_titles_of_groups_stand_out() -> None:
    bold = re.findall(r"<text ([^>]*)>(one|barrier: [^<]*)<", svg(HELD, REFUTED))
    assert [("font-weight: 700" in style, text) for style, text in bold] == [
        (True, "one"),
        (False, "barrier: A &lt; B"),
        (False, "barrier: C &lt; B"),
    ]


@pytest.mark.parametrize("sizes", [(4, 3, 3), (3, 3, 4), (2, 2, 2, 4), (9, 2), (2, 9), (4, 2, 4)])
def test_columns_are_as_even_as_whole_groups_allow(sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parasym.report.forest.ROWS", 6)
    groups = [ClaimGroup(f"part {k}", (HELD,) * (n - 1), f"#part-{k}") for k, n in enumerate(sizes)]
    text = forest_figure(groups, title="T").svg
    claims = [len(re.findall(rf'id="claim-{number}-\d+-yes', text)) for number in (0, 1)]
    assert sum(claims) == sum(sizes) - len(sizes)
    first = [sum(sizes[:k]) - k for k in range(len(sizes))].index(claims[0])  # so many groups stand in the first column
    higher = [max(sum(sizes[:k]), sum(sizes[k:])) for k in range(1, len(sizes))]
    assert first == max(k for k, height in enumerate(higher, start=1) if height == min(higher))  # of two ways the fuller first
