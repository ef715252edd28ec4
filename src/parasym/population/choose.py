"""Together or one after the other: decided by taking a few steps of each and looking at the clock."""

import time
import warnings
from collections.abc import Callable
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.population.course import Course, State, Step, Task
from parasym.population.gradient import Bound
from parasym.population.value import Way

SIZES = (8, 64)
"""Numbers of networks to try together, before all of them: when compute is the bound, more at once only needs more memory."""
STEPS = 3
"""Steps of each trial: one to warm up, then the fastest of the others counts."""
HOPELESS = 2.0
"""A trial whose first step takes this many times as long as the loop, and half of LEAST, is not continued."""
SHARE, LEAST = 0.03, 0.5
"""A trial that does not look promising is left out if trials would take more than this share of the training, or seconds."""


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
        # Where nothing is to be timed and there is no buffer to watch, no step need be taken.
        timed = wanted == "auto" and len(task.seeds) > 1
        loop, changed = _try_alone(task, state, STEPS if timed else 1) if timed or state.fixed or state.own else (0.0, [])
        state.separate(changed)
        if isinstance(wanted, Way):
            return wanted
        if wanted == "loop" or (len(task.seeds) == 1 and wanted == "auto"):
            return Way("loop", 1, {}, "as asked" if wanted == "loop" else "one network")
        obstacle, first = (f"the forward pass changes the buffer `{changed[0]}`", 0.0) if changed else _obstacle(task, state)
        if wanted == "vmap":
            if obstacle:
                raise BadInputError(f"Argument `way` is 'vmap', but {obstacle}. Use 'auto' or 'loop'.")
            return Way("vmap", len(task.seeds), {}, "as asked")
        if obstacle:
            return Way("loop", 1, {}, obstacle)
        return _measured(task, state, loop, first)


def _measured(task: Task, state: State, loop: float, first: float) -> Way:
    """Return the faster way, from the seconds of a step in a loop and of a step of two networks together."""
    seconds, best, last = {"loop": loop}, 0, first / 2
    everyone = len(task.seeds)
    left = max(LEAST, SHARE * loop * task.steps * sum(p.epochs for p in task.plans)) - first
    for size in [*(s for s in SIZES if s < everyone), everyone]:
        if last > loop and 2 * size * last > left:
            break
        start = time.perf_counter()
        try:
            last = _try_together(task, state, size, max(HOPELESS * loop * size, LEAST / 2)) / size
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        left -= time.perf_counter() - start
        seconds[f"vmap of {size}"] = last
        if best and last > seconds[f"vmap of {best}"]:
            break
        best = size
    if best and seconds[f"vmap of {best}"] < loop:
        return Way("vmap", best, seconds, "faster")
    if not best:
        seconds["vmap of 2"] = first / 2
    return Way("loop", 1, seconds, "faster")


def _obstacle(task: Task, state: State) -> tuple[str, float]:
    """Return why vmap cannot train these networks, or nothing if it can, and the seconds of a step of two networks."""
    try:
        return "", _try_together(task, state, 2, LEAST)
    except torch.cuda.OutOfMemoryError:
        return "two networks do not fit into memory together", 0.0
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return f"vmap cannot train it: {str(error).strip().splitlines()[0][:160]}", 0.0


def _try_alone(task: Task, state: State, number: int) -> tuple[float, list[str]]:
    """Return the seconds of a step of the first network, and which of its buffers it changed."""
    course = _course(task, state, 1)
    rows = state.rows.take(torch.zeros(1, dtype=torch.int64, device=task.data.device))
    stepper, before = course.stepper(rows, slice(0, 1)), {n: v.clone() for n, v in state.fixed_of(0).items()}
    bound = Bound(task.network, rows.flat[0], before)
    smoothing = task.plans[0].smoothing

    def step(one: Step) -> None:
        task.gradients.alone(bound, one.batch(slice(0, 1)).of(0), smoothing, rows.scale[0])
        stepper.step_(bound.grad, one.rates)

    seconds = _seconds(course, step, float("inf"), number)
    return seconds, [n for n, v in bound.fixed().items() if not torch.equal(v, before[n])]


def _try_together(task: Task, state: State, size: int, limit: float) -> float:
    """Return the seconds of a step of the first networks together."""
    size = min(size, len(task.seeds))
    course, part = _course(task, state, size), slice(0, size)
    index = torch.arange(size, device=task.data.device)
    rows, own = state.rows.take(index), {n: v[index] for n, v in state.own.items()}
    grad = torch.empty_like(rows.flat)
    stepper, stack = course.stepper(rows, part), task.gradients.stack(rows.flat, state.fixed, own, grad)

    def step(one: Step) -> None:
        task.gradients.together(stack, one.batch(part), course.smoothing, rows.scale)
        stepper.step_(grad, one.rates)

    return _seconds(course, step, limit)


def _course(task: Task, state: State, size: int) -> Course:
    orders = [torch.Generator().set_state(g.get_state()) for g in state.orders[:size]]
    return Course(task, list(task.plans[:size]), list(task.seeds[:size]), orders, state.epoch)


def _seconds(course: Course, step: Callable[[Step], None], limit: float, number: int = STEPS) -> float:
    steps = list(islice(course, number))
    taken: list[float] = []
    for k in range(number):
        _wait(course.smoothing)
        start = time.perf_counter()
        step(steps[k % len(steps)])
        _wait(course.smoothing)
        taken.append(time.perf_counter() - start)
        if taken[0] > limit:
            break
    return min(taken[1:] or taken)


def _wait(x: Tensor) -> None:
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)
