"""Every verb gives one answer from Python and from the command line, on the same files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import Result

from parasym.breaking import METHODS as WAYS
from parasym.breaking import break_, recipe_of
from parasym.checkpoint import fit_checkpoint, read_checkpoint
from parasym.circuits import CircuitCost, NoiseModel, amplitude_damping, transfer
from parasym.core import Params, child_generator
from parasym.find import find
from parasym.functional import reestimate
from parasym.groups import Permutation
from parasym.hopping import hop, noisy_orbit
from parasym.landscape import LOSSES, barrier
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


SAMPLES = torch.randn(300, 6, generator=torch.Generator().manual_seed(2))
CLASSES = torch.randint(3, (300,), generator=torch.Generator().manual_seed(3))


def labelled(path: Path, labels: torch.Tensor) -> None:
    """Inputs and labels, in each of the forms of a file."""
    if path.suffix == ".pt":
        torch.save((SAMPLES, labels), path)
    elif path.suffix == ".npz":
        np.savez(path, input=SAMPLES.numpy(), labels=labels.numpy().astype(np.int32 if labels.dtype == torch.int64 else float))
    else:
        save_file({"input": SAMPLES, "y": labels}, path)


BARRIERS = [
    ("build", "float32", "data.pt", "cross_entropy", False),
    ("build", "bfloat16", "data.npz", "cross_entropy", False),
    ("normalized", "float32", "data.safetensors", "cross_entropy", True),
    ("normalized", "float32", "data.npz", "mse_loss", False),
]


@pytest.mark.parametrize(("name", "dtype", "file", "loss", "renew"), BARRIERS)
def test_barrier(run: Run, folder: Path, name: str, dtype: str, file: str, loss: str, renew: bool):
    model, a, b = checkpoints(name, DTYPES[dtype], copies=False)
    scale = 9 if loss == "cross_entropy" else 1
    a, b = ({n: scale * x if n.endswith("weight") else x for n, x in params.items()} for params in (a, b))
    saved(folder, one=a, two=b)
    labels = torch.randn(300, 3, generator=seeded()) if loss == "mse_loss" else CLASSES
    labelled(folder / file, labels)
    flags = ["-m", f"nets.py:{name}", "--data", file, "--points", 5, "--loss", loss, *(["--renew"] if renew else [])]
    said = answered(run("barrier", "one.safetensors", "two.safetensors", *flags, "--json"))
    a, b = (read(folder / f"{k}.safetensors", model) for k in ("one", "two"))
    statistics = list(SAMPLES.split(256)) if renew else None
    found = barrier(model, a, b, SAMPLES, labels, points=5, loss=LOSSES[loss], batch_size=256, statistics=statistics)
    assert said["t"] == list(found.t) == [0, 0.25, 0.5, 0.75, 1]
    assert said["loss"] == pytest.approx(found.loss, rel=1e-6)
    assert said["accuracy"] == pytest.approx(found.accuracy)
    assert len(found.accuracy) == (0 if loss == "mse_loss" else 5)
    assert (said["midpoint"], said["maximum"]) == pytest.approx((found.midpoint, found.maximum), rel=1e-5)
    assert len({round(x, 4) for x in found.loss}) == 5
    assert (said["midpoint_accuracy"] is None) == (loss == "mse_loss")
    shown = run("barrier", "one.safetensors", "two.safetensors", *flags)
    assert f"barrier {found.midpoint:.4f} at the midpoint" in " ".join(shown.stdout.lower().split())


def test_the_barrier_between_two_copies_is_gone_when_they_are_matched(run: Run, folder: Path):
    model, a, b = checkpoints("normalized", torch.float32, copies=True)
    saved(folder, one=a, two=b)
    save_file({"input": SAMPLES, "labels": model(SAMPLES).argmax(1)}, folder / "data.safetensors")
    words = ("-m", "nets.py:normalized", "--data", "data.safetensors", "--points", "3", "--json")
    run("match", "one.safetensors", "two.safetensors", "-m", "nets.py:normalized", "-o", "moved.safetensors")
    naive = answered(run("barrier", "one.safetensors", "two.safetensors", *words))
    matched = answered(run("barrier", "one.safetensors", "moved.safetensors", *words))
    assert naive["loss"][0] == pytest.approx(naive["loss"][2], rel=1e-4)
    assert matched["maximum"] < 1e-5
    assert max(abs(x - naive["loss"][0]) for x in naive["loss"]) > 1e-2


BREAKS = [
    ("build", "float32", "w-asymmetric", {}),
    ("build", "bfloat16", "w-asymmetric", {"frozen": {"0": 2, "*": 3}, "std": 2.0, "leftover": "freeze"}),
    ("normalized", "float32", "w-asymmetric", {"frozen": 0.5, "init": "kaiming", "pin": ("1.*",)}),
    ("normalized", "bfloat16", "sigma-asymmetric", {"std": 0.5}),
    ("half", "float16", "sigma-asymmetric", {}),
    ("half", "float16", "w-asymmetric", {"unit": "filter"}),
]


@pytest.mark.parametrize(("name", "dtype", "method", "settings"), BREAKS)
def test_break(run: Run, folder: Path, name: str, dtype: str, method: str, settings: dict[str, Any]):
    a = _cast(nets.weights(1, name), getattr(torch, dtype))
    saved(folder, one=a)
    flags: list[Any] = ["-m", f"nets.py:{name}", "--method", method, "--seed", 4]
    for key, value in settings.items():
        each = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else value if key == "pin" else [value]
        flags += [word for one in each for word in (f"--{key}", one)]
    said = answered(run("break", "one.safetensors", *flags, "-o", "broken.safetensors", "--json"))

    model = getattr(nets, name)().eval()
    model.load_state_dict(a)
    inputs = tuple(x.to(next(model.parameters()).dtype) for x in nets.example_inputs)
    way: Any = WAYS[method]
    broken = break_(model, way(**settings, seed=4), inputs, generator=seeded(4))
    written = load_file(folder / "broken.safetensors")
    assert equal(written, broken.model.state_dict())
    assert {n: x.dtype for n, x in written.items() if n in a} == {n: x.dtype for n, x in a.items()}
    report = broken.report
    assert (said["trained"], said["frozen"], said["method"]) == (report.trained, report.frozen, report.method)
    assert [one["what"] for one in said["broken"]] == [one.what for one in report.broken]
    assert report.symmetry is not None
    assert said["symmetry"] == json.loads(report.symmetry.to_json())

    moved = {n for n in a if not torch.equal(written[n].float(), a[n].float())}
    assert bool(moved) == (method == "w-asymmetric")  # entries became constants; activations are beside the weights
    again = break_(getattr(nets, name)(), recipe_of(written)).model  # it loads
    assert again.load_state_dict(written).missing_keys == []
    given = [x.to(next(again.parameters()).dtype) for x in nets.example_inputs]
    same, other = again.eval()(*given), model.float().eval()(*nets.example_inputs)
    assert torch.allclose(same.float(), broken.model.eval()(*inputs).float(), atol=0.05 if dtype != "float32" else 1e-6)
    assert not torch.allclose(same.float(), other, atol=0.1)


AGAIN = """
import parasym
from nets import build, example_inputs

def broken():
    return parasym.break_(build(), parasym.breaking.recipe_of("a1.safetensors")).model
"""


def test_a_broken_checkpoint_goes_on_through_the_verbs(run: Run, folder: Path):
    for name in "ab":
        assert run("break", f"{name}.safetensors", "-m", "nets.py:build", "-o", f"{name}1.safetensors").exit_code == 0
    (folder / "again.py").write_text(AGAIN)
    found = answered(run("match", "a1.safetensors", "b1.safetensors", "-m", "again.py:broken", "--json"))
    assert found["distance_before"] == pytest.approx(found["distance_after"])  # nothing is left to move along
    plain = answered(run("match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "--json"))
    assert plain["distance_after"] < 0.95 * plain["distance_before"]


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
