"""``find`` beside Torch-Pruning and torch-kirigami: the time to analyse a model, and how it grows with depth.

What is compared is the time from a model to its groups of coupled channels. torch-kirigami's graph holds relations, and its
candidates are the channels together with what they are tied to, so both are timed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.measure import Row, side_by_side
from benchmarks.networks import residual_cnn, torchvision_model
from parasym.find import find
from parasym.find.trace import trace

OURS, CAPTURE, EXPORT, PRUNING = "parasym.find", "of which capture", "torch.export alone", "Torch-Pruning 1.6.1"
GRAPH, KIRIGAMI = "torch-kirigami 0.2.1, graph only", "torch-kirigami 0.2.1, candidates"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        depths: Blocks of the residual CNN.
        width: Its channels.
        sides: Sides of its square input. Torch-Pruning runs the model on numbers, so for it the size counts.
        models: Models of torchvision, each with the side of its square input.
        n: Repetitions after one run to warm up.
        limit: Seconds that each run may take.
    """

    depths: tuple[int, ...] = (4, 8, 16, 32, 64)
    width: int = 64
    sides: tuple[int, ...] = (32, 224)
    models: tuple[tuple[str, int], ...] = (("resnet50", 64), ("resnet50", 224), ("vit_b_16", 224))
    n: int = 3
    limit: float | None = 60.0


TINY = Task(depths=(1, 2), width=4, sides=(8,), models=(), n=1, limit=None)


def run(task: Task) -> list[Row]:
    """Return times, and the exponent of the growth with depth of every contender."""
    rows: list[Row] = []
    for side in task.sides:
        beaten: set[str] = set()
        mine: list[Row] = []
        for blocks in task.depths:
            case = _case(side, blocks)
            mine += _compare(case, residual_cnn(blocks, task.width), torch.randn(1, 3, side, side), task, beaten)
            beaten |= {row.contender for row in mine if row.note.startswith("not done")}
        rows += [*mine, *_exponents(mine, side, task.depths)]
    for name, side in task.models:
        rows += _compare(f"{name}, {side} px", torchvision_model(name), torch.randn(1, 3, side, side), task, set())
    return rows


def _case(side: int, blocks: int) -> str:
    return f"residual CNN, {side} px, {blocks} blocks"


def contenders(model: nn.Module, x: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Return what each contender does with a model; the first is ours, the second a part of it."""

    def export() -> object:
        with torch.no_grad():
            return torch.export.export(model, (x,), strict=False)

    def capture() -> object:
        return trace(model, (x,), None)

    def pruning() -> object:
        from torch_pruning import DependencyGraph

        graph = DependencyGraph().build_dependency(model, example_inputs=x, verbose=False)
        return list(graph.get_all_groups())

    def graph() -> object:
        from torch_kirigami import DependencyGraph

        return DependencyGraph.build(model, args=(x,))

    def kirigami() -> object:
        from torch_kirigami.pruning import Pruner

        return Pruner(model, graph=graph()).discover_candidates()

    return {OURS: lambda: find(model, (x,)), CAPTURE: capture, EXPORT: export, PRUNING: pruning, GRAPH: graph, KIRIGAMI: kirigami}


def _compare(case: str, model: nn.Module, x: torch.Tensor, task: Task, beaten: set[str]) -> list[Row]:
    runs = contenders(model, x)
    rows = side_by_side(case, {k: v for k, v in runs.items() if k not in beaten}, n=task.n, limit=task.limit, patience=5.0)
    rows += [Row(case, name, "CPU seconds", (), note="not run: not done in time at a smaller depth") for name in beaten]
    return rows


def _exponents(rows: list[Row], side: int, depths: tuple[int, ...]) -> list[Row]:
    """Return the slope of log time against log depth, over the deeper half where constant costs count less."""
    out = []
    for name in (OURS, CAPTURE, EXPORT, PRUNING, GRAPH, KIRIGAMI):
        medians = {(r.case, r.contender): r.median for r in rows if r.values}
        points = [(d, medians[_case(side, d), name]) for d in depths if (_case(side, d), name) in medians][-3:]
        if len(points) > 1:
            ends = f"{points[0][0]} to {points[-1][0]} blocks"
            out.append(Row(f"residual CNN, {side} px", name, "exponent of depth", (slope(points),), note=ends))
    return out


def slope(points: list[tuple[int, float]]) -> float:
    """Return the exponent ``p`` of the power law ``t = c d^p`` that fits points best, in logarithms."""
    x, y = [math.log(d) for d, _ in points], [math.log(t) for _, t in points]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)
