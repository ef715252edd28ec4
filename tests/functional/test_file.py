"""Inputs from files: every form is one call, and what does not fit is one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from parasym.core import SymmetryError
from parasym.functional import read_inputs
from tests.cli import nets
from tests.functional.input_files import BAD, FORMS, HALVES, A, B, G, npz


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_the_same_call_in_batches(folder: Path, name: str) -> None:
    FORMS[name]()
    found = read_inputs(Path(name), nets.Two())
    assert [call.samples for call in found.batches] == [256, 44]
    given = [[call.argument(place, argument) for call in found.batches] for place, argument in enumerate("ab")]
    assert torch.equal(torch.cat(given[0]), A)
    assert torch.equal(torch.cat(given[1]), B)
    assert all(len(call.tensors) == 2 for call in found.batches)
    labelled = name in {"labelled.pt", "pair.pt", "named.pt"}
    assert ("taken for labels" in str(found.notes)) == labelled
    assert [{len(x) for x in call.labels} for call in found.batches] == ([{256}, {44}] if labelled else [set(), set()])


def test_an_optional_argument_by_place_is_said(folder: Path) -> None:
    torch.save((A, B, torch.ones(300, 8)), "three.pt")
    found = read_inputs(Path("three.pt"), nets.Two())
    assert len(found.batches[0].args) == 3
    assert found.notes == ("three.pt: read as `a`, `b`, `gain`, in this order; if they are others, give them by name",)


@pytest.mark.parametrize("form", [tuple, list, lambda x: dict(zip("ab", x, strict=True))])
def test_batches_stay_as_they_are(folder: Path, form: Callable[[Any], Any]) -> None:
    torch.save([form((A[part], B[part])) for part in HALVES], "batches.pt")
    found = read_inputs(Path("batches.pt"), nets.Two()).batches
    assert [call.samples for call in found] == [200, 100]
    assert all(bool(call.kwargs) == (form not in {tuple, list}) for call in found)
    assert torch.equal(torch.cat([call.argument(1, "b") for call in found]), B)


def test_a_graph_is_one_batch(folder: Path) -> None:
    edges = torch.randint(300, (2, 900), generator=G)
    npz("graph.npz", x=A[:, :5], edge_index=edges)
    (call,) = read_inputs(Path("graph.npz"), nets.Graph()).batches
    assert str(call) == "x=300x5:float32, edge_index=2x900:int64"


@pytest.mark.parametrize(("name", "make", "words"), BAD)
def test_what_does_not_fit_is_one_line(folder: Path, name: str, make: Callable[[], object], words: str) -> None:
    (folder / "nets.py").write_text("import torch")
    make()
    if "does not run" in words:
        assert read_inputs(name, nets.Two()).batches
        return
    with pytest.raises(SymmetryError) as told:
        read_inputs(name, nets.Two())
    assert words in str(told.value)
    assert f"Data `{name}`" in str(told.value)


def test_the_numbers_go_to_the_precision_of_the_model(folder: Path) -> None:
    torch.save((A, B), "x.pt")
    (call, _) = read_inputs("x.pt", nets.Two().double()).batches
    assert {x.dtype for x in call.tensors} == {torch.float64}
    assert [call.samples for call in read_inputs("x.pt", nets.Two(), size=100).batches] == [100, 100, 100]


@pytest.mark.parametrize("model", [nn.Linear(6, 2), nets.Two()], ids=["one argument", "two"])
def test_a_lone_tensor_under_a_name_that_is_no_arguments_is_the_first_one(folder: Path, model: nn.Module) -> None:
    torch.save({"images": A}, "images.pt")
    if isinstance(model, nets.Two):
        with pytest.raises(SymmetryError, match="needs `b`"):
            read_inputs("images.pt", model)
        return
    found = read_inputs("images.pt", model).batches
    assert torch.equal(torch.cat([call.args[0] for call in found]), A)
    assert not any(call.kwargs for call in found)
