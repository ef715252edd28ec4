"""``match`` beside rebasin and plain coordinate descent with scipy: distance reached, and time."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.measure import Row, side_by_side
from benchmarks.networks import mlp, torchvision_model, trained_on_digits
from benchmarks.plain import descend_plainly, permutations_only
from parasym.core import Params, model_params
from parasym.find import find
from parasym.orbit import WeightMatching, match
from parasym.orbit.objective import gap
from parasym.symmetry import Element, Symmetry

OURS, ONCE, FULL = "parasym.match, permutations", "parasym.match, one pass", "parasym.match, whole group"
PLAIN, REBASIN = "plain scipy descent", "rebasin 0.0.47"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        cases: ``mlp`` (two networks trained on digits), ``resnet18`` (two random initial states), ``planted`` (ResNet-18: the
            same weights under a random permutation, with noise as large as the weights on each side).
        width: Of the three hidden layers of the MLP.
        steps: Of training it.
        n: Repetitions.
        rebasin_limit: Seconds of processor time that rebasin may take.
    """

    cases: tuple[str, ...] = ("mlp", "resnet18", "planted")
    width: int = 2048
    steps: int = 60
    n: int = 3
    rebasin_limit: float = 90.0


TINY = Task(cases=("mlp",), width=24, steps=5, n=1, rebasin_limit=20.0)


def run(task: Task) -> list[Row]:
    """Return distances and times."""
    rows: list[Row] = []
    for case in task.cases:
        title = f"MLP 64-{task.width}x3-10" if case == "mlp" else f"ResNet-18, {case}"
        rows += _compare(title, case, task)
    return rows


def build(case: str, width: int) -> nn.Module:
    """Return the network of a case."""
    return mlp(_sizes(width)).eval() if case == "mlp" else torchvision_model("resnet18")


def pair(case: str, task: Task) -> tuple[Params, Params]:
    """Return the two states of a case."""
    if case == "mlp":
        a, b = (model_params(trained_on_digits(_sizes(task.width), seed, task.steps)) for seed in (0, 1))
        return _detached(a), _detached(b)
    torch.manual_seed(0)
    a = _detached(model_params(build(case, 0)))
    torch.manual_seed(1)
    b = _detached(model_params(build(case, 0)))
    if case == "resnet18":
        return a, b
    generator = torch.Generator().manual_seed(3)
    symmetry = permutations_only(find(build(case, 0), (example(case),)))
    first, second = _noisy(a, generator), _noisy(a, generator)
    return first, symmetry.act(symmetry.sample(generator=generator), second)


def example(case: str) -> Tensor:
    """Return an input of a case."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, 64, generator=generator) if case == "mlp" else torch.randn(1, 3, 64, 64, generator=generator)


def _compare(title: str, case: str, task: Task) -> list[Row]:
    model, x = build(case, task.width), example(case)
    whole = find(model, (x,))
    plain = permutations_only(whole)
    a, b = pair(case, task)
    found: dict[str, list[tuple[Symmetry, Element]]] = {
        OURS: [],
        ONCE: [],
        PLAIN: [],
        FULL: [],
    }  # measured after the clock has stopped

    def ours(name: str, symmetry: Symmetry, **options: int) -> None:
        found[name].append((symmetry, match(symmetry, a, b, method=WeightMatching(**options)).element))

    def scipy() -> None:  # another order of wires at every run: both its time and its result depend on it
        generator = torch.Generator().manual_seed(len(found[PLAIN]))
        found[PLAIN].append((plain, descend_plainly(plain, a, b, generator=generator)))

    runs = {OURS: lambda: ours(OURS, plain), ONCE: lambda: ours(ONCE, plain, max_sweeps=0), PLAIN: scipy}
    if case == "mlp":  # on residual networks the scales of BatchNorm are slow to balance
        runs[FULL] = lambda: ours(FULL, whole)
    rows = side_by_side(title, runs, n=task.n)
    # The best that any run reached.
    reached = {name: min(gap(a, s.act(g, b)) for s, g in some) for name, some in found.items() if some}
    rows.append(_rebasin(title, case, task, a, b, rows[0].median, reached))
    distances = [Row(title, "as they are", "distance", (gap(a, b),), gap(a, b) / reached[OURS])]
    distances += [Row(title, name, "distance", (value,), value / reached[OURS]) for name, value in reached.items()]
    return rows + distances


def _rebasin(title: str, case: str, task: Task, a: Params, b: Params, ours: float, reached: dict[str, float]) -> Row:
    empty = Row(title, REBASIN, "CPU seconds", ())
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "pair.pt"), Path(folder, "out.pt")
        x = example(case)
        torch.save({"case": case, "width": task.width, "a": a, "b": b, "x": x}, source)
        command = [sys.executable, "-m", "benchmarks.rebasin_process", str(source), str(target), str(task.rebasin_limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return replace(empty, note=done.stderr.strip().splitlines()[-1][:90])
        out = torch.load(target, weights_only=True)
    if "cut" in out:
        return replace(
            empty, note=f"cut off after {task.rebasin_limit:.0f} s: more than {task.rebasin_limit / ours:.2g} times ours"
        )
    model = build(case, task.width)
    moved = {name: out["b"][name] for name in b}
    with torch.no_grad():
        before, after = (functional_call(model, p, (x,)) for p in (b, moved))
    error = float((before - after).norm() / before.norm())
    reached[REBASIN] = gap(a, moved)
    note = f"one run, after tracing for {out['traced']:.1f} s; outputs changed by {error:.0e}"
    return Row(title, REBASIN, "CPU seconds", (out["seconds"],), out["seconds"] / ours, note)


def _sizes(width: int) -> list[int]:
    return [64, width, width, width, 10]


def _detached(params: Params) -> Params:
    return {name: x.detach().clone() for name, x in params.items()}


def _noisy(params: Params, generator: torch.Generator) -> Params:
    def noisy(x: Tensor) -> Tensor:
        return x + x.std() * torch.randn(x.shape, generator=generator) if x.ndim > 1 else x.clone()

    return {name: noisy(x) for name, x in params.items()}
