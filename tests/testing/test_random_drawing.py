"""What a seed draws stays what it was: seeds are named in reports, so that the drawing is an interface."""

import pytest
import torch

from tests.testing.random_drawing import drawn, recorded, weighed


def test_seeds_draw_what_they_drew() -> None:
    before, now = recorded(), drawn()
    assert now.keys() == before.keys(), "kinds came or went: `python -m tests.testing.random_drawing` writes the record anew"
    other = [name for name, numbers in now.items() if numbers != pytest.approx(before[name], rel=1e-6, abs=1e-6)]
    assert not other, "other models are drawn, so that seeds named before stand for others; if it must be, write the record anew"


def test_the_numbers_see_values_places_and_shapes() -> None:
    x = torch.arange(6.0)
    same = weighed(x)
    for other in (x + 1, -x, x.flip(0), x.roll(1), x.reshape(2, 3), x[:5]):
        assert weighed(other) != pytest.approx(same, rel=1e-6, abs=1e-6)
    assert weighed(x, x + 1) != pytest.approx(weighed(x + 1, x), rel=1e-6, abs=1e-6)


def test_every_step_and_reading_is_drawn_somewhere() -> None:
    assert [name for name, numbers in recorded().items() if not any(numbers)] == []
