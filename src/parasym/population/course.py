"""The course of a training: the state of all networks, and how an epoch changes it."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from parasym.core import Params, child_generator, child_seed
from parasym.population.augment import Augment, augment_all
from parasym.population.data import Data, Room
from parasym.population.gradient import Batch, Bound, Gradients, chunks
from parasym.population.job import NO_HOOKS, Hooks, StepReport
from parasym.population.network import Network
from parasym.population.plan import TrainingPlan, epoch_rates
from parasym.population.torch_rule import TorchRule
from parasym.population.update import Rows, RuleStepper, Stepper
from parasym.population.validation import Best, Judge
from parasym.population.value import Record, Way


@dataclass(frozen=True)
class Task:
    """What is to be trained.

    Attributes:
        network: The architecture.
        data: What it is trained on.
        seeds: One per network.
        plans: One per network.
        gradients: How losses and gradients are computed.
        augment: Changes the first input of every batch; ``None`` leaves it.
        judge: Says how good networks are on the validation set; ``None`` without one.
        hooks: Whom to tell after steps and epochs.
    """

    network: Network
    data: Data
    seeds: tuple[int, ...]
    plans: tuple[TrainingPlan, ...]
    gradients: Gradients
    augment: Augment | None
    judge: Judge | None = None
    hooks: Hooks = NO_HOOKS

    @property
    def epochs(self) -> int:
        """Of the network that trains longest."""
        return max(p.epochs for p in self.plans)

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return self.data.steps(self.plans[0].batch)


@dataclass
class State:
    """All numbers that training changes.

    Attributes:
        rows: Parameters and memory of the optimizer.
        fixed: Buffers and frozen parameters that all networks share.
        own: Those that differ, stacked.
        orders: Generators of the order of examples, one per network.
        history: Of the epochs so far.
        diverged: Which networks diverged.
        epoch: Finished epochs.
        rules: Optimizers of torch, one per part of networks that are trained together; empty for those of a plan.
        best: The best epoch of each network on the validation set; ``None`` without one.
    """

    rows: Rows
    fixed: Params
    own: Params
    orders: list[torch.Generator]
    history: list[Record]
    diverged: list[bool]
    epoch: int = 0
    rules: list[TorchRule] = field(default_factory=list)
    best: Best | None = None

    def active(self, plans: Sequence[TrainingPlan]) -> list[int]:
        """Return which networks train in this epoch: those that are not finished, have not diverged and may still improve.

        Args:
            plans: One per network.
        """
        going = [k for k, p in enumerate(plans) if p.epochs > self.epoch and not self.diverged[k]]
        best = self.best
        return going if best is None else [k for k in going if not best.is_stale(k, self.epoch, plans[k].patience)]

    def fixed_of(self, k: int) -> Params:
        """Return buffers and frozen parameters of one network.

        Args:
            k: Which.
        """
        return self.fixed | {n: v[k] for n, v in self.own.items()}

    def separate(self, names: list[str]) -> None:
        """Give every network its own copy of something that was shared.

        Args:
            names: Of what.
        """
        for name in names:
            if name in self.fixed:
                value = self.fixed.pop(name)
                self.own[name] = value.expand(len(self.diverged), *value.shape).clone()


def run_epoch(task: Task, state: State, way: Way) -> list[Record]:
    """Train every network that is neither finished nor diverged for one epoch; the others stand still.

    Args:
        task: What is trained.
        state: Changed in place.
        way: Together or in a loop.

    Returns:
        One record per network that was trained.
    """
    active = state.active(task.plans)
    found = []
    if active:
        if task.plans[0].make is not None and not state.rules:
            state.rules = make_rules(task, state.rows, way)
        run = _epoch_together if way.name == "vmap" else _epoch_alone
        sums = run(task, state, active, way.size)
        finite = state.rows.finite()[active].tolist()
        rates = epoch_rates([task.plans[k] for k in active], state.epoch, task.steps)[-1].tolist()
        if state.rules:
            rates = [state.rules[k // way.size].rate for k in active]
        judged = _judged(task, state, [k for k, good in zip(active, finite, strict=True) if good], way)
        for k, total, good, rate in zip(active, sums.tolist(), finite, rates, strict=True):
            loss = total / len(task.data.y)
            found.append(Record(task.seeds[k], state.epoch, loss, rate, good and math.isfinite(loss), judged.get(k)))
            state.diverged[k] = not found[-1].finite
    state.history += found
    state.epoch += 1
    return found


def make_rules(task: Task, rows: Rows, way: Way) -> list[TorchRule]:
    """Return the optimizers of torch that a plan asks for, one per part of networks that are trained together.

    Args:
        task: What is trained.
        rows: Of all networks; changed by every step.
        way: Says how large the parts are.
    """
    make = task.plans[0].make
    return [] if make is None else [TorchRule(make, rows.take(part).params) for part in chunks(len(rows), way.size)]


def _judged(task: Task, state: State, networks: list[int], way: Way) -> dict[int, float]:
    """Return the validation losses of some networks, and remember who was never better."""
    if task.judge is None or state.best is None or not networks:
        return {}
    losses = task.judge.losses(state.rows.params, [(k, state.fixed_of(k)) for k in networks], together=way.name == "vmap")
    for k, loss in zip(networks, losses, strict=True):
        state.best.take(k, state.epoch, loss, state.rows.params, state.own)
    return dict(zip(networks, losses, strict=True))


def _epoch_together(task: Task, state: State, active: list[int], size: int) -> Tensor:
    """Return the sums of losses over the epoch, of shape ``[active]``."""
    if state.rules and len(active) < len(task.seeds):
        return _with_others_put_back(task, state, active, size)
    index = torch.tensor(active, device=task.data.device)
    everyone = len(active) == len(task.seeds)
    rows = state.rows if everyone else state.rows.take(index)
    own = state.own if everyone else {n: v[index] for n, v in state.own.items()}
    plans = [task.plans[k] for k in active]
    course = Course(task, plans, [task.seeds[k] for k in active], [state.orders[k] for k in active], state.epoch)
    sums = torch.zeros(len(active), dtype=torch.float64, device=task.data.device)
    parts = list(chunks(len(active), size))
    sum_of = [sums[part] for part in parts]
    smoothing = [course.smoothing[part] for part in parts]
    rules = state.rules or [None] * len(parts)
    steppers = [course.stepper(rows.take(part), part, rule) for part, rule in zip(parts, rules, strict=True)]
    # Gradients of one part at a time: the less memory, the more of it stays in the cache.
    place = [torch.empty_like(x[parts[0]]) for x in rows.params]
    grads = [[x[: len(stepper.rows)] for x in place] for stepper in steppers]
    stacks = [
        task.gradients.stack(stepper.rows.params, state.fixed, {n: v[part] for n, v in own.items()}, grads[k])
        for k, (part, stepper) in enumerate(zip(parts, steppers, strict=True))
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")  # it was measured, and is faster all the same
        for number, step in enumerate(course):
            for k, (part, stepper, stack) in enumerate(zip(parts, steppers, stacks, strict=True)):
                losses = task.gradients.together(stack, step.batch(part), smoothing[k], stepper.rows.scale)
                stepper.step_(grads[k], step.rates[part])
                sum_of[k].add_(losses, alpha=step.count)
                course.tell(number, part, losses)
    if not everyone:
        state.rows.put(index, rows)
    return sums


def _with_others_put_back(task: Task, state: State, active: list[int], size: int) -> Tensor:
    """Let all networks take the steps of an epoch, and put back those that stand still: their optimizers need them in place."""
    others = torch.tensor([k for k in range(len(task.seeds)) if k not in set(active)], device=task.data.device)
    before, orders = [x[others] for x in state.rows.params], [state.orders[k].get_state() for k in others.tolist()]
    sums = _epoch_together(task, state, list(range(len(task.seeds))), size)
    for x, old in zip(state.rows.params, before, strict=True):
        x[others] = old
    for k, old in zip(others.tolist(), orders, strict=True):
        state.orders[k].set_state(old)
    return sums[torch.tensor(active, device=sums.device)]


def _epoch_alone(task: Task, state: State, active: list[int], _size: int) -> Tensor:
    """Return the sums of losses over the epoch, of shape ``[active]``."""
    sums = torch.zeros(len(active), dtype=torch.float64, device=task.data.device)
    everyone = slice(None)  # of one
    for place, k in enumerate(active):
        rows = state.rows.take(slice(k, k + 1))
        course = Course(task, [task.plans[k]], [task.seeds[k]], [state.orders[k]], state.epoch)
        stepper = course.stepper(rows, everyone, state.rules[k] if state.rules else None)
        bound = Bound(task.network, rows.params, state.fixed_of(k))
        with torch.random.fork_rng(devices=_random_devices(task.data.device)):
            # Dropout draws from the global generator: seeded for network and epoch, it knows nothing of the others.
            torch.manual_seed(child_seed(task.seeds[k], f"forward {state.epoch}"))
            for number, step in enumerate(course):
                loss = task.gradients.alone(bound, step.batch(everyone).of(0), task.plans[k].smoothing, rows.scale[0])
                stepper.step_(bound.grads, step.rates)
                sums[place].add_(loss, alpha=step.count)
                course.tell(number, everyone, loss[None])
        for name, value in bound.fixed().items():
            if name in state.own:
                state.own[name][k] = value
    return sums


@dataclass(frozen=True)
class Step:
    """One step of some networks.

    Attributes:
        course: What it belongs to.
        index: Examples, of shape ``[networks, n]``.
        rates: Of shape ``[networks]``, in float64 on the CPU.
    """

    course: "Course"
    index: Tensor
    rates: Tensor

    @property
    def count(self) -> int:
        """Examples per network."""
        return len(self.course.task.data.y) if self.course.task.data.full else self.index.shape[1]

    def batch(self, part: slice) -> Batch:
        """Return what some of the networks see, until the next batch is asked for.

        Args:
            part: Which.
        """
        task = self.course.task
        inputs, labels = task.data.take(self.index[part], self.course.room)
        if task.augment is not None:
            inputs = (augment_all(task.augment, inputs[0], self.course.augmenting[part]), *inputs[1:])
        return Batch(inputs, labels, shared=task.data.full)


class Course:
    """The steps of one epoch of some networks.

    Args:
        task: What is trained.
        plans: Theirs.
        seeds: Theirs.
        orders: Their generators of the order of examples.
        epoch: From 0.
    """

    def __init__(
        self, task: Task, plans: list[TrainingPlan], seeds: list[int], orders: list[torch.Generator], epoch: int
    ) -> None:
        self.task, self.plans, self.seeds, self.orders, self.epoch = task, plans, seeds, orders, epoch
        self.augmenting = [child_generator(seed, f"augment {epoch}") for seed in seeds]
        self.room: Room = {}
        self.smoothing = torch.tensor([p.smoothing for p in plans], dtype=torch.float64, device=task.data.device)

    def stepper(self, rows: Rows, part: slice, rule: TorchRule | None = None) -> "Stepper | RuleStepper":
        """Return what updates some of the networks.

        Args:
            rows: Theirs; changed by every step.
            part: Which.
            rule: Their optimizer of torch, if the plan has one; a fresh one if ``None``.
        """
        plans, device = self.plans[part], rows.steps.device
        norms = [math.inf if p.clip is None else p.clip for p in plans]
        clip = None if all(map(math.isinf, norms)) else torch.tensor(norms, dtype=torch.float64, device=device)
        make = plans[0].make
        if make is not None:
            return RuleStepper(rows, rule or TorchRule(make, rows.params), clip)
        fields = {(p.rate, p.decay, p.schedule, p.epochs, p.warm_up, p.start) for p in plans}
        decay = torch.tensor([p.decay for p in plans], dtype=torch.float64, device=device)
        return Stepper(rows, plans[0], decay, clip, same=len(fields) == 1)

    def tell(self, step: int, part: slice, losses: Tensor) -> None:
        """Tell the hook of steps, if there is one.

        Args:
            step: Number in the epoch.
            part: Which networks.
            losses: Theirs.
        """
        if self.task.hooks.step is not None:
            self.task.hooks.step(StepReport(self.epoch, step, tuple(self.seeds[part]), losses.detach().clone()))

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps; every network has drawn its own order of the examples."""
        data = self.task.data
        rates = torch.from_numpy(epoch_rates(self.plans, self.epoch, self.task.steps))
        if data.full:
            yield Step(self, torch.empty(len(self.plans), 0, dtype=torch.int64), rates[0])
            return
        order = torch.stack([torch.randperm(len(data.y), generator=g) for g in self.orders]).to(data.device)
        for k, index in enumerate(order.split(self.plans[0].batch, dim=1)):
            yield Step(self, index, rates[k])


def _random_devices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []
