"""Together or one after the other: decided by taking a few steps of each and looking at the clock."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal

import torch

from parasym.core import BadInputError
from parasym.population.course import Course, State, Step, Task
from parasym.population.gradient import Bound
from parasym.population.value import Way

SIZES = (32,)
"""Networks to try together, before all of them: with more at once there are fewer calls, but less fits into a cache."""
TURNS = 4
"""Steps of each trial at most: one to warm up, then the fastest counts. Trials take turns, so that all see the same machine."""
NEAR = 1.5
"""A trial whose step takes this many times as long as the best one is not repeated."""
TIE = 1.05
"""Of ways that differ by less than this the one with fewer networks at once is taken: it needs less memory."""
SHARE, LEAST = 0.03, 0.1
"""Trials that do not look promising, and repetitions, may take this share of the training, or so many seconds."""


@dataclass
class Trial:
    """One way to take steps.

    Attributes:
        name: As in `Way.seconds`.
        size: Networks at once.
        turn: Takes a step and returns its seconds.
        seconds: Per network and step: of the fastest turn but the first, if there was another.
        spent: Seconds of all turns.
        turns: How many.
    """

    name: str
    size: int
    turn: Callable[[], float]
    seconds: float = float("inf")
    spent: float = 0.0
    turns: int = 0

    def take(self) -> None:
        """Take a step."""
        taken = self.turn()
        self.spent += taken
        self.turns += 1
        self.seconds = taken / self.size if self.turns <= 2 else min(self.seconds, taken / self.size)


def choose_way(task: Task, state: State, wanted: Literal["auto", "vmap", "loop"] | Way) -> Way:
    """Return how to train, and separate the buffers that a forward pass changes.

    All steps are taken on copies: the state has the same numbers afterwards, whatever was measured.

    Args:
        task: What is trained.
        state: Of all networks.
        wanted: ``"auto"`` measures; anything else is followed.

    Raises:
        BadInputError: If vmap is wanted and cannot be had.
    """
    generator = torch.random.fork_rng(devices=[task.data.device] if task.data.device.type == "cuda" else [])
    with generator, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # vmap warns of slow batching rules: that is what is measured
        several = len(task.seeds) > 1
        # Where nothing is to be timed and there is no buffer to watch, no step need be taken.
        idle = not (wanted == "auto" and several) and not state.fixed and not state.own
        loop, changed = (None, []) if idle else _alone(task, state)
        state.separate(changed)
        if isinstance(wanted, Way):
            return wanted
        if wanted == "loop" or (wanted == "auto" and not several):
            return Way("loop", 1, {}, "as asked" if wanted == "loop" else "one network")
        obstacle, pair = (f"the forward pass changes the buffer `{changed[0]}`", None) if changed else _obstacle(task, state)
        if wanted == "vmap":
            if obstacle:
                raise BadInputError(f"Argument `way` is 'vmap', but {obstacle}. Use 'auto' or 'loop'.")
            return Way("vmap", len(task.seeds), {}, "as asked")
        if loop is None or pair is None:
            return Way("loop", 1, {}, obstacle)
        everyone = len(task.seeds)
        sizes = [s for s in (*(s for s in SIZES if s < everyone), everyone) if s > pair.size]
        steps = task.steps * sum(p.epochs for p in task.plans)
        return fastest(loop, pair, sizes, lambda size: _together(task, state, size), steps)


def fastest(loop: Trial, pair: Trial, sizes: Sequence[int], make: Callable[[int], Trial], steps: int) -> Way:
    """Return the faster way.

    Larger sizes are tried as long as the last one is faster than the loop, or trials may take longer.

    Args:
        loop: One network after the other; has had one turn.
        pair: Two at once; has had one turn.
        sizes: What else to try together, ascending.
        make: Makes a trial of a size.
        steps: Of the training, times networks.
    """
    tried, last = [loop, pair], pair

    def left() -> float:
        return max(LEAST, SHARE * steps * min(t.seconds for t in tried)) - sum(t.spent for t in tried)

    def take_turns(trials: Sequence[Trial], turns: int) -> None:
        while trials[-1].turns < turns and sum(t.size * t.seconds for t in trials) <= left():
            for trial in trials:
                trial.take()

    loop.take()  # the first turns were slow: nothing is known before the second
    pair.take()
    take_turns((loop, pair), 3)
    for size in sizes:
        if last.seconds > loop.seconds and 2 * size * last.seconds > left():
            break
        if last.seconds > NEAR * min(t.seconds for t in tried) and last.seconds < loop.seconds:
            break
        try:
            last = make(size)
            last.take()
            last.take()
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        tried.append(last)
    near = [t for t in tried if t.seconds <= NEAR * min(t.seconds for t in tried)]
    if len(near) > 1:
        take_turns(near, TURNS)
    best = next(t for t in tried if t.seconds <= TIE * min(t.seconds for t in tried))
    seconds = {t.name: t.seconds for t in tried}
    return Way("loop", 1, seconds, "faster") if best is loop else Way("vmap", best.size, seconds, "faster")


def _obstacle(task: Task, state: State) -> tuple[str, Trial | None]:
    """Return why vmap cannot train these networks, or nothing if it can, and the trial of two networks, after one turn."""
    try:
        pair = _together(task, state, 2)
        pair.take()
    except torch.cuda.OutOfMemoryError:
        return "two networks do not fit into memory together", None
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return f"vmap cannot train it: {str(error).strip().splitlines()[0][:160]}", None
    return "", pair


def _alone(task: Task, state: State) -> tuple[Trial, list[str]]:
    """Return the trial of the first network after one turn, and which of its buffers that changed."""
    course = _course(task, state, 1)
    rows = state.rows.take(torch.zeros(1, dtype=torch.int64, device=task.data.device))
    stepper, before = course.stepper(rows, slice(0, 1)), {n: v.clone() for n, v in state.fixed_of(0).items()}
    bound = Bound(task.network, rows.params, before)
    smoothing = task.plans[0].smoothing

    def step(one: Step) -> None:
        task.gradients.alone(bound, one.batch(slice(0, 1)).of(0), smoothing, rows.scale[0])
        stepper.step_(bound.grads, one.rates)

    trial = Trial("loop", 1, _turn(course, step))
    trial.take()
    return trial, [n for n, v in bound.fixed().items() if not torch.equal(v, before[n])]


def _together(task: Task, state: State, size: int) -> Trial:
    """Return the trial of the first networks together."""
    size = min(size, len(task.seeds))
    course, part = _course(task, state, size), slice(0, size)
    index = torch.arange(size, device=task.data.device)
    rows, own = state.rows.take(index), {n: v[index] for n, v in state.own.items()}
    grads = [torch.empty_like(x) for x in rows.params]
    stepper, stack = course.stepper(rows, part), task.gradients.stack(rows.params, state.fixed, own, grads)

    def step(one: Step) -> None:
        task.gradients.together(stack, one.batch(part), course.smoothing, rows.scale)
        stepper.step_(grads, one.rates)

    return Trial(f"vmap of {size}", size, _turn(course, step))


def _course(task: Task, state: State, size: int) -> Course:
    orders = [torch.Generator().set_state(g.get_state()) for g in state.orders[:size]]
    return Course(task, list(task.plans[:size]), list(task.seeds[:size]), orders, state.epoch)


def _turn(course: Course, step: Callable[[Step], None]) -> Callable[[], float]:
    """Return what takes one step after the other and returns the seconds of each.

    On a CPU it is the time that this thread was given: what else runs on the machine counts little.
    """
    device = course.smoothing.device
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.thread_time
    steps = cycle(list(islice(course, TURNS)))

    def turn() -> float:
        one = next(steps)
        if on_gpu:
            torch.cuda.synchronize(device)
        start = clock()
        step(one)
        if on_gpu:
            torch.cuda.synchronize(device)
        return clock() - start

    return turn
