"""Settings are changed by name; a wrong name or value says what would be right."""

from dataclasses import dataclass
from typing import Literal

import pytest

from parasym.core import BadInputError
from parasym.studies import changed


@dataclass(frozen=True)
class Plan:
    epochs: int
    rate: float
    schedule: Literal["cosine", "constant"]


@dataclass(frozen=True)
class Entry:
    architecture: str
    train: int | None
    variants: tuple[str, ...]
    plan: Plan


ENTRIES = tuple(Entry(name, None, ("a",), Plan(3, 0.1, "cosine")) for name in ("mlp", "gnn"))


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [("train=100", "train", 100), ("train=none", "train", None), ("variants=a,b", "variants", ("a", "b"))],
)
def test_a_field_is_changed_in_every_entry(change: str, field: str, value: object):
    assert [getattr(entry, field) for entry in changed(ENTRIES, [change])] == [value, value]


def test_fields_of_the_plan_and_the_choice_of_entries():
    found = changed(ENTRIES, ["plan.epochs=7", "plan.rate=1e-3", "plan.schedule=constant", "only=gnn"])
    assert found == (Entry("gnn", None, ("a",), Plan(7, 1e-3, "constant")),)
    assert ENTRIES[0].plan.epochs == 3


@dataclass(frozen=True)
class OnData:
    architecture: str
    data: str


def test_entries_of_one_network_are_told_apart_by_their_data():
    both = (OnData("mlp", "digits"), OnData("mlp", "cifar10"), OnData("gnn", "blocks"))
    assert changed(both, ["only=mlp/cifar10"]) == both[1:2]
    assert changed(both, ["only=mlp/digits,gnn"]) == (both[0], both[2])
    assert changed(both, ["only=mlp"]) == both[:2]
    with pytest.raises(BadInputError, match=r"`mlp/blocks` is not in this preset. Known are mlp/digits, mlp/cifar10, gnn"):
        changed(both, ["only=mlp/blocks"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "epochs=3",
            r"Key `epochs` is unknown. Known are architecture, only, plan.epochs, plan.rate, plan.schedule, train, variants",
        ),
        ("train", "must be key=value, but is `train`. Known keys are"),
        ("train=many", "Key `train` takes a whole number, but got `many`"),
        ("plan.rate=fast", "takes a number, but got `fast`"),
        ("plan.schedule=step", "takes one of cosine, constant, but got `step`"),
        ("only=rnn", "`rnn` is not in this preset. Known are mlp, gnn"),
    ],
)
def test_what_is_wrong_is_said(change: str, message: str):
    with pytest.raises(BadInputError, match=message):
        changed(ENTRIES, [change])
