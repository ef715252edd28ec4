"""Text from outside: nothing in it acts, and none of it drowns the rest."""

import pytest

from parasym.core import cut, one_line, printable

ACTING = ["\x1b[31m", "\x9b2J", "\x07", "\r", "\x00", "\u202e", "\u2066", "\u200b", "\u2028", "\x85", "\udcff", "\ue000", "\x7f"]


@pytest.mark.parametrize("part", ACTING)
def test_what_acts_is_escaped(part: str) -> None:
    shown = printable(f"a{part}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("b")
    assert one_line(f"a{part}b").isprintable()


@pytest.mark.parametrize("text", ["plain", "[/red]", "größe – 5 µm", "層.重み", "𝒲", "C:\\models\\a.pt", ""])
def test_what_prints_stays(text: str) -> None:
    assert printable(text) == text == one_line(text)


def test_long_names_lose_their_middle_and_the_remedy_stays() -> None:
    name = "layer." * 4000 + "weight"
    said = one_line(f"Checkpoint `{name}` must be a file, but does not exist. Give another.")
    assert len(said) < 220
    assert said.startswith("Checkpoint `layer.")
    assert said.endswith("weight` must be a file, but does not exist. Give another.")
    spaced = one_line(f"`{'a b ' * 999}` is wrong")
    assert len(spaced) < 150
    assert spaced.endswith(" is wrong")


@pytest.mark.parametrize("most", [3, 10, 11])
def test_a_cut_has_the_length_it_says(most: int) -> None:
    assert [len(cut("x" * n, most)) for n in (0, most, most + 1, 999)] == [0, most, most, most]
