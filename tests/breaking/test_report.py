"""The report of `break_`: what was broken, what is left and why, what it costs; layers too narrow for rows that differ."""

import re
from ast import literal_eval
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym.breaking import FrozenEntries, SigmaAsymmetric, WAsymmetric, break_, trainable_count
from parasym.core import BadInputError
from parasym.groups import Permutation
from parasym.symmetry import group_name


def perceptron(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.GELU()]
    return nn.Sequential(*layers[:-1])


def normed() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 3))


def test_counts_and_cost():
    model = normed()
    report = break_(model, WAsymmetric(frozen=2), torch.zeros(2, 4)).report
    assert [(one.name, one.what, one.frozen) for one in report.broken] == [
        ("0.weight", "2 of 4 entries in each of 6 rows", 12),
        ("3.weight", "2 of 6 entries in each of 3 rows", 6),
    ]
    assert report.frozen == 18
    assert report.parameters == trainable_count(model) == 24 + 6 + 12 + 18 + 3
    assert report.trained == report.parameters - 18
    assert report.share == pytest.approx(45 / 63)
    assert report.memory == 18 * (2 + 2)  # a position and a constant each
    assert 0 < report.seconds < 60
    assert (
        str(report)
        .splitlines()[0]
        .startswith(
            "WAsymmetric(frozen=2): 2 broken, 45 of 63 parameters are trained (71.4 %), 18 entries are constants; 72 bytes more, "
        )
    )


def test_what_is_left_and_what_stops_it():
    report = break_(normed(), WAsymmetric(frozen=2), torch.zeros(2, 4)).report
    assert [(left.names, left.reason) for left in report.left] == [
        (("0.bias", "1.weight", "1.bias", "3.bias"), "vectors, which have no rows"),
        (("0.bias",), "shift(1) still acts on them: none has frozen entries; leftover='freeze' stops it"),
    ]
    assert report.symmetry is not None
    assert [group_name(f) for f in report.symmetry.factors] == ["shift(1)"]
    assert str(report).splitlines()[-1] == (
        "what is left of the symmetry: 1 factor, order 1, dimension 1; flat directions left: 0"
    )
    stopped = break_(normed(), WAsymmetric(frozen=2, leftover="freeze"), torch.zeros(2, 4)).report
    assert [one.name for one in stopped.broken] == ["0.weight", "0.bias", "3.weight"]
    assert stopped.frozen == 19
    assert [left.names for left in stopped.left] == [("1.weight", "1.bias", "3.bias")]
    zeros = break_(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), WAsymmetric(frozen=2, std=0.0), torch.zeros(2, 4))
    assert (
        zeros.report.left[-1].reason
        == "scale(6) still acts on them: it keeps the constants, as signs and scales keep those of zero"
    )


def test_buffers_are_not_said_to_be_stopped_by_freezing():
    """Singular vectors of spectral normalization move alone: nothing that could be frozen bears the sign."""
    model = nn.Sequential(nn.utils.spectral_norm(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 3))
    for leftover in ("keep", "freeze"):
        report = break_(model, WAsymmetric(frozen=2, leftover=leftover), torch.zeros(2, 4)).report  # pyright: ignore[reportArgumentType]
        assert (report.left[-1].names, report.left[-1].reason) == (
            ("0.weight_u",),
            "signs(1) still acts on them: none is trained",
        )


def test_operations_without_a_rule_are_listed():
    class Sorted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.out = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(torch.special.bessel_j0(self.fc(x)).cumsum(-1).cummax(-1).values)

    report = break_(Sorted(), WAsymmetric(frozen=2), torch.zeros(2, 4)).report
    assert report.symmetry is not None
    assert report.symmetry.uncovered
    listed = [left.names[0] for left in report.left]
    assert all(f"{one.operation} in {one.module or 'the model'}" in listed for one in report.symmetry.uncovered)


def test_activations_in_the_report():
    report = break_(perceptron(4, 5, 3), SigmaAsymmetric(), torch.zeros(2, 4)).report
    assert [(one.name, one.what) for one in report.broken] == [("1", "FiGLU(5, std=0.4472, channels=False) in place of GELU")]
    assert report.trained == report.parameters == 43
    assert report.share == 1.0


def test_a_long_report_is_cut():
    text = str(break_(perceptron(*([6] * 31)), WAsymmetric(frozen=3)).report)
    assert "  and 11 more" in text  # 30 layers, 19 of them shown
    assert "0.bias, 2.bias, 4.bias, 6.bias, 8.bias, 10.bias and 24 more: vectors, which have no rows" in text


def ready(error: BadInputError) -> dict[str, float]:
    """The mapping that a message offers, as somebody would paste it."""
    found = re.search(r"Give frozen=(\{.*?\})", str(error))
    assert found, str(error)
    return literal_eval(found[1])


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("frozen", [1, {"0": 1, "*": 2}])
def test_all_narrow_layers_in_one_message_that_can_be_pasted(given: bool, frozen: Any):
    model = perceptron(4, 8, 5, 12, 3)
    x = torch.zeros(2, 4) if given else None
    with pytest.raises(BadInputError, match="too narrow for distinct rows") as caught:
        break_(model, WAsymmetric(frozen=frozen, distinct=True), x)
    assert "\n" not in str(caught.value)
    narrow = {"0", "4"}  # 8 rows of 4 ways, 12 rows of 5 or 10
    assert all(f"`{path}` (freezing" in str(caught.value) for path in narrow)
    assert not any(f"`{path}`" in str(caught.value) for path in ("2", "6"))
    mapping = ready(caught.value)
    assert {path: mapping[path] for path in narrow} == {"0": 0, "4": 0}  # no number gives as many rows: C(4, 2) = 6, C(5, 2) = 10
    broken = break_(model, WAsymmetric(frozen=mapping, distinct=True), x)
    assert {one.name for one in broken.report.broken} == {"2.weight", "6.weight"}


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("distinct", [None, True, False])
def test_counts_above_the_fan_in_come_with_the_rest(given: bool, distinct: Any):
    """Fault: the first of them alone, and the next after it was repaired."""
    model = perceptron(4, 9, 6, 3)
    x = torch.zeros(2, 4) if given else None
    with pytest.raises(BadInputError, match=r"too narrow.*8 are to be frozen, but its rows have only 4 entries") as caught:
        break_(model, WAsymmetric(frozen=8, distinct=distinct), x)
    mapping = ready(caught.value)
    assert mapping == {"0": 3 if distinct is False else 0, "4": 5, "*": 8}  # 9 rows of 4 share places or are left out
    assert len(break_(model, WAsymmetric(frozen=mapping, distinct=distinct), x).report.broken) == 2 + (distinct is False)
    narrow = perceptron(3, 9, 4, 3)  # 9 rows of 3, 4 rows of 9, 3 rows of 4
    with pytest.raises(BadInputError, match="too narrow") as caught:
        break_(narrow, WAsymmetric(frozen={"0": 1, "*": 5}, distinct=True), x)
    assert ready(caught.value) == {"0": 0, "4": 3, "*": 5}
    assert str(caught.value).startswith(
        "2 layers are too narrow for distinct rows: `4` (5 are to be frozen, but its rows have only"
    )


def test_a_larger_count_is_offered_where_there_is_one():
    with pytest.raises(BadInputError, match="`0` is too narrow for distinct rows: freezing 1 of 4") as caught:
        break_(perceptron(4, 6, 3), WAsymmetric(frozen=1))
    mapping = ready(caught.value)
    assert mapping == {"0": 2, "*": 1}
    masks = [
        m.mask for m in break_(perceptron(4, 6, 3), WAsymmetric(frozen=mapping)).model.modules() if isinstance(m, FrozenEntries)
    ]
    assert [int((~mask).sum(1)[0]) for mask in masks] == [2, 1]


def test_only_rows_that_a_wire_needs_must_differ():
    """Without a graph every row of more than one channel must, with one only those that nothing else tells apart."""
    model = perceptron(3, 8, 8)
    with pytest.raises(BadInputError, match="With `inputs` only those rows must differ that a wire needs"):
        break_(model, WAsymmetric(frozen={"0": 1, "2": 4}))
    assert len(break_(model, WAsymmetric(frozen={"0": 1, "2": 4}), torch.zeros(2, 3)).report.broken) == 2
    with pytest.raises(BadInputError, match="`0` is too narrow"):
        break_(model, WAsymmetric(frozen={"0": 1, "2": 0}), torch.zeros(2, 3))


class Inverted(nn.Module):
    """The inverted residual of MobileNet v2: expanded, filtered channel by channel, projected."""

    def __init__(self, ins: int, outs: int, factor: int) -> None:
        super().__init__()
        hidden = ins * factor
        widen = [nn.Conv2d(ins, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()] if factor > 1 else []
        filtered = [nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()]
        self.conv = nn.Sequential(*widen, *filtered, nn.Conv2d(hidden, outs, 1, bias=False), nn.BatchNorm2d(outs))
        self.adds = ins == outs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


def mobile() -> nn.Sequential:
    stem = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
    blocks = [Inverted(32, 16, 1), Inverted(16, 24, 6), Inverted(24, 24, 6), Inverted(24, 32, 6)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).eval()


@pytest.mark.parametrize("given", [True, False])
def test_depthwise_layers_need_no_repair(given: bool):
    """Of 144 rows of nine places 36 at most can differ, but the channels are told apart elsewhere."""
    report = break_(mobile(), None, torch.zeros(1, 3, 16, 16) if given else None).report
    assert len(report.broken) == 1 + 2 + 3 * 3 + 1
    if report.symmetry is not None:
        assert not [f for f in report.symmetry.factors if isinstance(f.group, Permutation)]
    with pytest.raises(BadInputError, match="2 layers are too narrow"):
        break_(mobile(), WAsymmetric(distinct=True))
