"""`--data`: inputs of every form that a call has, from every kind of file, and one line for what does not fit."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from typer.testing import Result

from parasym.checkpoint import fit_checkpoint, read_checkpoint
from parasym.find import find
from parasym.functional import Call, read_inputs
from parasym.orbit import METHODS, merge
from tests.cli import nets
from tests.needs import needs

Run = Callable[..., Result]
G = torch.Generator().manual_seed(0)
A, B, Y = torch.randn(300, 6, generator=G), torch.randn(300, 4, generator=G), torch.arange(300)
HALVES = [slice(0, 200), slice(200, 300)]


def npz(path: str, *args: Tensor, **kwargs: Tensor) -> None:
    np.savez_compressed(path, *(x.numpy() for x in args), **{n: x.numpy() for n, x in kwargs.items()})  # pyright: ignore[reportArgumentType]


FORMS: dict[str, Callable[[], object]] = {
    "tuple.pt": lambda: torch.save((A, B), "tuple.pt"),
    "list.pth": lambda: torch.save([A, B], "list.pth", _use_new_zipfile_serialization=False),
    "labelled.pt": lambda: torch.save((A, B, torch.ones(300, 8), Y), "labelled.pt"),
    "pair.pt": lambda: torch.save(((A, B), Y), "pair.pt"),
    "named.pt": lambda: torch.save({"b": B, "a": A, "labels": Y}, "named.pt"),
    "arrays.pt": lambda: torch.save({"b": B.numpy(), "a": A.numpy()}, "arrays.pt"),
    "call.pt": lambda: torch.save(((A,), {"b": B}), "call.pt"),
    "named.safetensors": lambda: save_file({"b": B, "a": A}, "named.safetensors"),
    "numbers.safetensors": lambda: save_file({"1": B, "0": A}, "numbers.safetensors"),
    "args.safetensors": lambda: save_file({"arg0": A, "b": B}, "args.safetensors"),
    "named.npz": lambda: npz("named.npz", b=B, a=A),
    "numbers.npz": lambda: npz("numbers.npz", A, B),
    "double.npz": lambda: npz("double.npz", A.double(), b=B.double()),
}
"""Files of one call; all stand for `model(A, B)`."""


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_the_same_call_in_batches(folder: Path, name: str) -> None:
    FORMS[name]()
    found = read_inputs(Path(name), nets.Two())
    assert [call.samples for call in found.batches] == [256, 44]
    given = [[call.argument(place, argument) for call in found.batches] for place, argument in enumerate("ab")]
    assert torch.equal(torch.cat(given[0]), A)
    assert torch.equal(torch.cat(given[1]), B)
    assert all(len(call.tensors) == 2 for call in found.batches)
    assert ("taken for labels and left out" in str(found.notes)) == (name in {"labelled.pt", "pair.pt", "named.pt"})


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


def copies(folder: Path, name: str) -> None:
    for seed in (1, 2):
        save_file(nets.weights(seed, name), folder / f"{seed}.safetensors")


def merged(
    run: Run, folder: Path, name: str, file: str, method: str, batches: list[Call]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the command line makes of a file, and Python of the same batches; the file is all that says what inputs look like."""
    told = run(
        "merge",
        "1.safetensors",
        "2.safetensors",
        "-m",
        f"nets.py:{name}",
        "--method",
        method,
        "--data",
        file,
        "-o",
        "m.safetensors",
    )
    assert told.exit_code == 0, told.output
    model = getattr(nets, name)().eval()
    models = [fit_checkpoint(read_checkpoint(folder / f"{seed}.safetensors"), model).params for seed in (1, 2)]
    symmetry = find(model, batches[0])
    how = METHODS[method].on(model, batches)
    generator = torch.Generator().manual_seed(0)
    found = merge(symmetry, models, method=how, model=model, data=batches, generator=generator).params
    return load_file(folder / "m.safetensors"), found


@pytest.mark.parametrize(
    ("file", "method"), [("tuple.pt", "weight"), ("named.safetensors", "activation"), ("numbers.npz", "activation")]
)
def test_statistics_and_activations_of_two_inputs(run: Run, folder: Path, file: str, method: str) -> None:
    (folder / "nets.py").write_text((folder / "nets.py").read_text().replace("example_inputs", "others"))
    FORMS[file]()
    copies(folder, "Two")
    ours, found = merged(run, folder, "Two", file, method, Call((A, B)).split(256))
    assert ours.keys() == found.keys()
    assert all(torch.allclose(x, found[n], rtol=1e-5, atol=1e-6) for n, x in ours.items())
    hidden = A @ ours["left.weight"].T + ours["left.bias"] + B @ ours["right.weight"].T + ours["right.bias"]
    parts = torch.stack([hidden[:256].mean(0), hidden[256:].mean(0)]).mean(0)  # the plain average over batches
    assert torch.allclose(ours["norm.running_mean"], parts, rtol=1e-4, atol=1e-5)


def test_keyword_inputs_of_a_language_model(run: Run, folder: Path) -> None:
    needs("transformers")
    torch.manual_seed(0)
    model = nets.bert().eval()
    a = {n: x.clone() for n, x in model.state_dict().items()}
    tokens, mask = torch.randint(30, (300, 7), generator=G), torch.arange(7) < torch.randint(3, 8, (300, 1), generator=G)
    inputs = {"input_ids": tokens, "attention_mask": mask.long()}
    symmetry = find(model, {n: x[:2] for n, x in inputs.items()})
    moved = symmetry.sample(generator=G).exactly({n: x for n, x in a.items() if x.is_floating_point()})
    save_file({n: x.contiguous() for n, x in a.items()}, "1.safetensors")
    save_file({n: moved[n].contiguous() if n in moved else x for n, x in a.items()}, "2.safetensors")
    save_file(inputs, "tokens.safetensors")
    torch.save({**inputs, "labels": torch.arange(300)}, "tokens.pt")
    for file, method in (("tokens.safetensors", "activation"), ("tokens.pt", "weight")):
        told = run(
            "match",
            "1.safetensors",
            "2.safetensors",
            "-m",
            "nets.py:bert",
            "--method",
            method,
            "--data",
            file,
            "-o",
            "m.safetensors",
            "--force",
        )
        assert told.exit_code == 0, told.output
        assert "batches of tokens" in told.stderr
        back = load_file(folder / "m.safetensors")
        names = ["encoder.layer.0.intermediate.dense.weight", "encoder.layer.0.output.dense.weight"]
        assert all(torch.allclose(back[n], a[n], atol=1e-4) for n in names)
        assert not any(torch.allclose(moved[n], a[n], atol=1e-2) for n in names)


@pytest.mark.parametrize("verb", ["find", "verify"])
def test_find_and_verify_take_inputs_from_a_file(run: Run, folder: Path, verb: str) -> None:
    FORMS["named.npz"]()
    told = run(verb, "nets.py:Two", "--data", "named.npz")
    assert told.exit_code == 0, told.output
    assert "inputs are the first of 2 batches of named.npz" in told.stderr
    both = run(verb, "nets.py:Two", "--data", "named.npz", "--input", "4x6")
    assert both.exit_code == 2
    assert "Options --input and --data both give inputs" in both.stderr


def test_a_program_is_run_on_as_many_samples_as_it_was_exported_for(run: Run, folder: Path) -> None:
    torch.export.save(torch.export.export(nets.build(), nets.example_inputs), "net.pt2")
    np.save("x.npy", A[:8].numpy())
    told = run("verify", "net.pt2", "--data", "x.npy")
    assert told.exit_code == 0, told.output
    assert "inputs are the first of 2 batches of x.npy" in told.stderr


BAD: list[tuple[str, Callable[[], object], str]] = [
    ("none.pt", lambda: None, "`none.pt` must be a file, but does not exist"),
    ("nets.py", lambda: None, "`nets.py` is none of the kinds that are read"),
    (
        "cut.npy",
        lambda: (np.save("x.npy", A.numpy()), Path("cut.npy").write_bytes(Path("x.npy").read_bytes()[:500])),
        "`cut.npy`",
    ),
    ("objects.npy", lambda: np.save("objects.npy", np.array([{}], dtype=object)), "it holds pickled objects, not numbers"),
    ("texts.npz", lambda: np.savez("texts.npz", a=np.array(["x"])), "its array `a`: it holds entries of the type <U1"),
    ("c.pt", lambda: torch.save({"a": A, "b": B, "c": B}, "c.pt"), "knows no `c`; it takes `a`, `b`, `gain`"),
    ("one.npy", lambda: np.save("one.npy", A.numpy()), "needs `b`, which was not given"),
    (
        "gap.safetensors",
        lambda: save_file({"0": A, "2": B}, "gap.safetensors"),
        "must be 0, 1, ... without a gap, but are `0`, `2`",
    ),
    (
        "twice.safetensors",
        lambda: save_file({"0": A, "1": B, "b": B.clone()}, "twice.safetensors"),
        "was given `b` by position and by name",
    ),
    ("nan.pt", lambda: torch.save((A, B / 0 * 0), "nan.pt"), "1200 of a tensor of shape (300, 4) are NaN"),
    ("empty.pt", lambda: torch.save((A[:0], B[:0]), "empty.pt"), "must hold samples along the first axis"),
    ("number.pt", lambda: torch.save(3, "number.pt"), "must hold tensors, but holds"),
    ("nothing.pt", lambda: torch.save([], "nothing.pt"), "must hold tensors, but holds a list without any"),
    (
        "foreign.pt",
        lambda: torch.save({"a": A, "b": argparse.Namespace()}, "foreign.pt"),
        "holds `argparse.Namespace`, which is left unbuilt",
    ),
    ("narrow.pt", lambda: torch.save((A[:, :5], B), "narrow.pt"), "does not run on the input 256x5:"),
    ("lengths.pt", lambda: torch.save((A, B[:7]), "lengths.pt"), "does not run on the input 300x6:"),
    ("sparse.pt", lambda: torch.save((A.to_sparse(), B), "sparse.pt"), "a sparse tensor"),
]


@pytest.mark.parametrize("verb", ["match", "find"])
@pytest.mark.parametrize(("name", "make", "words"), BAD)
def test_what_does_not_fit_is_one_line(
    run: Run, folder: Path, verb: str, name: str, make: Callable[[], object], words: str
) -> None:
    make()
    copies(folder, "Two")
    files = ["1.safetensors", "2.safetensors", "-o", "m.safetensors", "-i", "2x6", "-i", "2x4", "--method", "activation", "-m"]
    told = run(verb, *(files if verb == "match" else []), "nets.py:Two", "--data", name)
    assert told.exit_code == 2, told.output
    assert words in told.stderr, told.stderr
    assert len([line for line in told.stderr.splitlines() if not line.startswith("note: ")]) == 1
    assert "unexpected" not in told.stderr
    assert not Path("m.safetensors").exists()
