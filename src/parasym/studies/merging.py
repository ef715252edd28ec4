"""Merging networks that were trained apart: naive and matched, in pairs and all together."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from parasym.core import BadInputError, Params, child_generator
from parasym.data import Images, load_digits
from parasym.find import find
from parasym.functional.statistics import has_statistics
from parasym.landscape import Barrier, barrier
from parasym.orbit import match, merge
from parasym.orbit.merge import without_stored
from parasym.population import train_population
from parasym.studies.architecture import Architecture
from parasym.symmetry import Symmetry
from parasym.verify import Report, verify

DATA = 512
"""Training examples that normalization statistics are measured on, at every point of a segment."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class MergingTask:
    """What to do.

    Attributes:
        architecture: The network.
        seeds: One network per seed.
        points: Points along each segment, with both ends; odd, so that the midpoint is one.
        width: Hidden units; the architecture's own if ``None``.
        epochs: Passes over the data; the plan's own if ``None``.
    """

    architecture: Architecture
    seeds: tuple[int, ...]
    points: int = 25
    width: int | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy and share of right answers on the test set."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Network:
    """One trained network.

    Attributes:
        seed: Its seed.
        train: On the training set.
        test: On the test set.
    """

    seed: int
    train: Score
    test: Score


@dataclass(frozen=True)
class Pair:
    """Two networks, and the segment between them before and after matching.

    Attributes:
        seeds: Of network A and network B.
        distance: Norm of A minus B.
        matched_distance: Norm of A minus the matched B.
        naive: Along the segment from A to B.
        matched: Along the segment from A to the matched B.
    """

    seeds: tuple[int, int]
    distance: float
    matched_distance: float
    naive: Barrier
    matched: Barrier

    @property
    def naive_midpoint(self) -> Score:
        """Halfway from A to B."""
        return _middle(self.naive)

    @property
    def matched_midpoint(self) -> Score:
        """Halfway from A to the matched B."""
        return _middle(self.matched)


@dataclass(frozen=True)
class Merging:
    """What was measured.

    Attributes:
        task: What was done.
        symmetry: The symmetry of the network.
        report: Its verification at the first trained network.
        narrow_report: Verification with completeness, for a narrow network of the same kind.
        networks: The trained networks.
        pairs: Every pair of them.
        naive_all: The average of all networks as they are.
        matched_all: The merge of all networks.
        ensemble: The average of all predictions, which costs as many evaluations as there are networks.
        first: Parameters of the first network.
        second: Parameters of the second.
        second_matched: The second, moved to the first.
        seconds: Time by step.
    """

    task: MergingTask
    symmetry: Symmetry
    report: Report
    narrow_report: Report
    networks: tuple[Network, ...]
    pairs: tuple[Pair, ...]
    naive_all: Score
    matched_all: Score
    ensemble: Score
    first: Params
    second: Params
    second_matched: Params
    seconds: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether the symmetry is verified and matching beats the plain average in loss, in pairs and for all.

        It is a fact about these networks and no claim about others: pairs share networks, so that no interval is made of them.
        """
        pairs = sum(p.matched_midpoint.loss for p in self.pairs) < sum(p.naive_midpoint.loss for p in self.pairs)
        proved = self.report.holds == "yes" and self.narrow_report.holds == "yes"
        return proved and pairs and self.matched_all.loss < self.naive_all.loss


def run_merging(task: MergingTask, *, tell: Tell | None = None) -> Merging:
    """Train networks from different seeds, find and verify their symmetry, and merge them.

    Args:
        task: What to do.
        tell: Called with the name of a step, the number of finished parts and the number of all parts.

    Raises:
        BadInputError: If there are fewer than two seeds, or the number of points is even.

    Returns:
        Everything measured; the same task gives the same numbers on the same machine, up to rounding.
    """
    if len(task.seeds) < 2 or task.points % 2 == 0:
        raise BadInputError(f"A merging task needs two seeds or more and an odd number of points, but is {task}.")
    clock = _Clock()
    digits = load_digits(images=task.architecture.images)
    networks = _train(task, digits, tell or _silent)
    clock.mark("train")
    model = _build(task).eval()
    symmetry = find(model, (digits.test_images[:4],))
    report = verify(model, symmetry, (digits.test_images[:16],), params=networks[0], complete=False)
    clock.mark("find and verify")
    narrow = _narrow_report(task)
    clock.mark("count directions")
    pairs, moved = _pairs(task, model, symmetry, networks, digits, tell or _silent)
    clock.mark("match and interpolate")
    renewing: dict[str, Any] = {"model": model, "data": [digits.train_images]} if has_statistics(model) else {}
    # Merging by the trivial group is the plain average, with statistics measured anew all the same.
    naive = merge(symmetry.only(), networks, **renewing).params
    matched = merge(symmetry, networks, **renewing, generator=child_generator(0, "merge")).params
    clock.mark("merge all")
    return Merging(
        task=task,
        symmetry=symmetry,
        report=report,
        narrow_report=narrow,
        networks=tuple(
            Network(
                seed,
                _score(_outputs(model, p, digits.train_images), digits.train_labels),
                _score(_outputs(model, p, digits.test_images), digits.test_labels),
            )
            for seed, p in zip(task.seeds, networks, strict=True)
        ),
        pairs=pairs,
        naive_all=_score(_outputs(model, naive, digits.test_images), digits.test_labels),
        matched_all=_score(_outputs(model, matched, digits.test_images), digits.test_labels),
        ensemble=_score(_ensemble(model, networks, digits.test_images), digits.test_labels),
        first=networks[0],
        second=networks[1],
        second_matched=moved,
        seconds=clock.seconds,
    )


def _middle(segment: Barrier) -> Score:
    middle = segment.t.index(0.5)
    return Score(segment.loss[middle], segment.accuracy[middle])


def _silent(_step: str, _done: int, _all: int) -> None:
    pass


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now


def _build(task: MergingTask) -> nn.Module:
    return task.architecture.build(task.width or task.architecture.width)


def _train(task: MergingTask, digits: Images, tell: Tell) -> list[Params]:
    plan = task.architecture.plan
    plan = plan if task.epochs is None else replace(plan, epochs=task.epochs)
    done = itertools.count(1)
    return train_population(
        lambda: _build(task),
        digits.train_images,
        digits.train_labels,
        seeds=task.seeds,
        plan=plan,
        way="vmap",  # fixed and not measured: the same task has to give the same numbers
        advance=lambda _: tell("training", next(done), plan.epochs),
    ).params


def _narrow_report(task: MergingTask) -> Report:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = task.architecture.build(task.architecture.narrow).eval()
        shape = (1, 8, 8) if task.architecture.images else (64,)
        # Many inputs: a unit that is on for all of them would look like one more free direction. An image is many at once.
        x = torch.randn(16 if task.architecture.images else 256, *shape, generator=child_generator(0, "inputs"))
    return verify(model, find(model, (x,)), (x,))


def _pairs(
    task: MergingTask, model: nn.Module, symmetry: Symmetry, networks: list[Params], digits: Images, tell: Tell
) -> tuple[tuple[Pair, ...], Params]:
    data = [digits.train_images[:DATA]] if has_statistics(model) else None
    if data is not None:
        # What holds for stored statistics only would be undone when they are measured anew.
        symmetry = without_stored(symmetry, model, networks[0], data[0])
    chosen = list(itertools.combinations(range(len(networks)), 2))
    found, kept = [], networks[1]
    for done, (i, j) in enumerate(chosen, start=1):
        a, b = networks[i], networks[j]
        closest = match(symmetry, a, b)
        naive, matched = (
            barrier(model, a, end, digits.test_images, digits.test_labels, points=task.points, statistics=data)
            for end in (b, closest.params)
        )
        found.append(Pair((task.seeds[i], task.seeds[j]), closest.before, closest.after, naive, matched))
        kept = closest.params if (i, j) == (0, 1) else kept
        tell("matching pairs", done, len(chosen))
    return tuple(found), kept


def _outputs(model: nn.Module, params: Params, x: Tensor) -> Tensor:
    with torch.no_grad():
        return functional_call(model, params, (x,))


def _ensemble(model: nn.Module, networks: list[Params], x: Tensor) -> Tensor:
    return torch.stack([_outputs(model, p, x).softmax(dim=1) for p in networks]).mean(dim=0).log()


def _score(outputs: Tensor, labels: Tensor) -> Score:
    return Score(float(cross_entropy(outputs, labels)), float((outputs.argmax(dim=1) == labels).double().mean()))
