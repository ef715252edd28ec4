"""Every verb gives one answer from Python and from the command line, on the same files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import Result

from parasym.checkpoint import fit_checkpoint, read_checkpoint
from parasym.circuits import CircuitCost, NoiseModel, amplitude_damping, transfer
from parasym.core import Params, child_generator
from parasym.find import find
from parasym.functional import reestimate
from parasym.groups import Permutation
from parasym.hopping import hop, noisy_orbit
from parasym.orbit import METHODS, canonicalize, distance, match, merge
from parasym.verify import verify
from tests.cli import circuits, nets
from tests.cli.circuits import circuit

Run = Callable[..., Result]
X = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def answered(result: Result, code: int = 0) -> dict[str, Any]:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def checkpoints(name: str, dtype: torch.dtype, *, copies: bool) -> tuple[nn.Module, Params, Params]:
    """A model, a checkpoint of it, and another one: a copy that its symmetry moved, or another network."""
    torch.manual_seed(0)
    model, a, b = getattr(nets, name)().eval(), nets.weights(1, name), nets.weights(2, name)
    if copies:
        b = find(model, nets.example_inputs).sample(generator=seeded(3)).exactly(a)
    return model, _cast(a, dtype), _cast(b, dtype)


def _cast(params: Params, dtype: torch.dtype) -> Params:
    return {n: x.to(dtype) if x.is_floating_point() else x.clone() for n, x in params.items()}


def saved(folder: Path, **models: Params) -> None:
    for name, params in models.items():
        save_file({n: x.contiguous() for n, x in params.items()}, folder / f"{name}.safetensors")


def read(path: Path, model: nn.Module) -> Params:
    return fit_checkpoint(read_checkpoint(path), model).params


def equal(written: Params, found: Params, *, rtol: float = 0.0) -> bool:
    """Whether a file has what Python returned, in the precision of the file."""
    same = (torch.allclose(x.double(), found[n].to(x.dtype).double(), rtol=rtol, atol=rtol) for n, x in written.items())
    return written.keys() == found.keys() and all(same)


CASES = [
    ("build", "float32", True, "weight", False),
    ("build", "float32", False, "weight", False),
    ("build", "bfloat16", False, "weight", False),
    ("build", "float32", True, "activation", False),
    ("normalized", "float32", True, "weight", False),
    ("normalized", "float32", False, "weight", False),
    ("normalized", "float32", False, "weight", True),
    ("normalized", "float32", True, "activation", True),
    ("normalized", "float64", False, "weight", False),
]


@pytest.mark.parametrize(("name", "dtype", "copies", "method", "renew"), CASES)
def test_match_and_merge(run: Run, folder: Path, name: str, dtype: str, copies: bool, method: str, renew: bool):
    model, a, b = checkpoints(name, DTYPES[dtype], copies=copies)
    saved(folder, one=a, two=b)
    save_file({"x": X}, folder / "data.safetensors")
    with_data = renew or method == "activation"
    files, flags = ["one.safetensors", "two.safetensors"], ["-m", f"nets.py:{name}", "--method", method, "--json"]
    flags += ["--data", "data.safetensors"] if with_data else []
    symmetry, (a, b) = find(model, nets.example_inputs), (read(folder / file, model) for file in files)

    def how() -> Any:
        return METHODS[method].on(model, [X] if with_data else None)

    said = answered(run("match", *files, *flags, "-o", "moved.safetensors"))
    found = match(symmetry, a, b, method=how(), generator=seeded())
    assert (said["distance_before"], said["distance_after"]) == (found.before, found.after)
    assert said["converged"] == found.converged
    assert equal(load_file(folder / "moved.safetensors"), found.params)

    said = answered(run("merge", *files, *flags, "-o", "merged.safetensors"))
    more: dict[str, Any] = {"model": model, "data": [X]} if with_data else {}
    merged = merge(symmetry, [a, b], method=how(), generator=seeded(), **more)
    assert [(p["distance_naive"], p["distance_matched"]) for p in said["pairs"]] == [(p.before, p.after) for p in merged.pairs]
    assert said["notes"] == list(merged.notes)
    # Sums over data depend on where it lies in memory.
    assert equal(load_file(folder / "merged.safetensors"), merged.params, rtol=1e-6 if with_data else 0.0)


PAIRS = [
    ("build", "float32", True),
    ("build", "bfloat16", False),
    ("normalized", "float64", False),
    ("normalized", "float32", True),
]


@pytest.mark.parametrize(("name", "dtype", "copies"), PAIRS)
def test_distance_and_canonicalize(run: Run, folder: Path, name: str, dtype: str, copies: bool):
    model, a, b = checkpoints(name, DTYPES[dtype], copies=copies)
    saved(folder, one=a, two=b)
    symmetry, (a, b) = find(model, nets.example_inputs), (read(folder / f"{k}.safetensors", model) for k in ("one", "two"))
    flags = ("-m", f"nets.py:{name}", "--json")
    said = answered(run("distance", "one.safetensors", "two.safetensors", *flags))
    apart = distance(symmetry, a, b, generator=seeded())
    assert (said["distance"], said["relative"], said["status"]) == (apart, apart.relative, apart.status)
    assert (said["gauge"], said["notes"]) == (list(apart.gauge), list(apart.notes))
    assert (apart.relative < 1e-5) == copies
    for file, params in (("one", a), ("two", b)):
        said = answered(run("canonicalize", f"{file}.safetensors", *flags, "-o", f"{file}-canonical.safetensors"))
        found = canonicalize(symmetry, params)
        assert (said["norm_before"], said["norm_after"]) == (found.before, found.after)
        assert (said["converged"], said["notes"]) == (found.converged, list(found.notes))
        assert equal(load_file(folder / f"{file}-canonical.safetensors"), found.params)
    one, two = (load_file(folder / f"{k}-canonical.safetensors") for k in ("one", "two"))
    assert copies == all(torch.allclose(one[n].double(), two[n].double(), atol=1e-4) for n in one)


@pytest.mark.parametrize("data", [False, True])
def test_two_copies_merge_to_the_same_function(run: Run, folder: Path, data: bool):
    model, a, b = checkpoints("normalized", torch.float32, copies=True)
    if data:  # statistics of the data, and a copy that keeps its function when they are measured anew
        a = reestimate(model, a, [X])
        b = find(model, nets.example_inputs).only(Permutation).sample(generator=seeded(3)).exactly(a)
    saved(folder, one=a, two=b)
    save_file({"x": X}, folder / "data.safetensors")
    flags = ["--data", "data.safetensors"] if data else []
    run("merge", "one.safetensors", "two.safetensors", "-m", "nets.py:normalized", "-o", "m.safetensors", *flags)
    merged = load_file(folder / "m.safetensors")
    naive = {n: (a[n] + b[n]) / 2 if a[n].is_floating_point() else a[n] for n in a}
    reference, found, plain = (torch.func.functional_call(model, p, (X,)) for p in (a, merged, naive))
    assert (found - reference).abs().max() < 1e-5 * reference.abs().max()
    assert (plain - reference).abs().max() > 1e-2 * reference.abs().max()


def test_find(run: Run, folder: Path):
    for name in ("build", "normalized", "lstm"):
        inputs = ("-i", "5x6") if name == "lstm" else ()
        args = (torch.zeros(5, 6),) if name == "lstm" else nets.example_inputs
        said = answered(run("find", f"nets.py:{name}", *inputs, "--json"))
        ours = json.loads(find(getattr(nets, name)().eval(), args, check=True).to_json())
        checks = [x.pop("self_check") for x in (said, ours)]  # the error depends on the weights, which are random
        assert said == {"holds": "yes", **ours}
        assert checks[0]["reason"] == checks[1]["reason"] == ""


def test_verify(run: Run, folder: Path):
    model = nets.build().eval()
    said = answered(run("verify", "nets.py:build", "--params", "a.safetensors", "--json"))
    params = load_file(folder / "a.safetensors")
    report = verify(model, find(model, nets.example_inputs), nets.example_inputs, params=params, generator=seeded())
    assert said == {"holds": report.holds, **json.loads(report.to_json())}


def test_hop(run: Run, folder: Path):
    noise = NoiseModel((), (amplitude_damping(0.05, 0),))
    theta = 2 * torch.pi * torch.rand(circuit.num_parameters, generator=child_generator(1, "start"), dtype=torch.float64)
    save_file({"angles": theta}, folder / "start.safetensors")
    flags = ("--noise", "amplitude_damping:0.05", "--params", "start.safetensors", "--json")
    said = answered(run("hop", f"{Path(circuits.__file__)}:circuit", *flags))
    orbit = noisy_orbit(circuit, noise=noise)
    cost = CircuitCost(transfer(orbit.circuit))
    made = hop(orbit.symmetry, cost, theta, selector=orbit.decode, cosets=orbit.cosets, generator=child_generator(0, "hop"))
    assert made.moved
    assert (said["before"], said["after"], said["angles"]) == (made.before, made.after, made.angles.tolist())
    assert torch.allclose(orbit.symmetry.act(made, {"angles": theta})["angles"], made.angles)
