"""`--data`: inputs of every form that a call has, from every kind of file, and one line for what does not fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from typer.testing import Result

from parasym.checkpoint import fit_checkpoint, read_checkpoint
from parasym.find import find
from parasym.functional import Call
from parasym.orbit import METHODS, merge
from tests.cli import nets
from tests.functional.input_files import BAD, FORMS, A, B, G
from tests.needs import needs

Run = Callable[..., Result]


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
