"""Settings are changed by name; a wrong name or value says what would be right."""

from dataclasses import dataclass
from typing import Literal

import pytest

from parasym.core import BadInputError
from parasym.studies import changed
from parasym.studies.lmc import LMC
from parasym.studies.mli import MLI


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


def test_plans_of_every_study_are_changed():
    for study in (LMC, MLI):
        for preset in study.presets.values():
            plan = "plan.epochs=70" if study is LMC else "sampling.batch=70"
            for entry in changed(preset, [plan]):
                assert (entry.plan.epochs if study is LMC else entry.sampling.batch) == 70
    assert changed(LMC.presets["tiny"], ["plan.optimizer=sgd"])[0].plan.optimizer == "sgd"


def test_fields_of_the_plan_and_the_choice_of_entries():
    found = changed(ENTRIES, ["plan.epochs=70", "plan.rate=1e-3", "plan.schedule=constant", "only=gnn"])
    assert found == (Entry("gnn", None, ("a",), Plan(70, 1e-3, "constant")),)
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
