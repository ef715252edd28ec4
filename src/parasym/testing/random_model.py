"""Random models: random graphs of supported operations, to try ``find`` on what nobody thought of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from parasym.core import child_generator
from parasym.testing.random_kinds import KINDS
from parasym.testing.random_step import Choice

Kind = Callable[[Choice, Sequence[Tensor], int], tuple[nn.Module, tuple[int, ...]] | None]


@dataclass
class _Plan:
    """The steps drawn so far, and their values on the example inputs."""

    values: list[Tensor]
    steps: list[nn.Module] = field(default_factory=list)
    reads: list[tuple[int, ...]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def add(self, name: str, step: nn.Module, reads: tuple[int, ...]) -> None:
        with torch.no_grad():
            self.values.append(step(*(self.values[k] for k in reads)))
        self.steps.append(step)
        self.reads.append(reads)
        self.kinds.append(name)


class RandomModel(nn.Module):
    """A graph of steps; every step reads inputs or results of earlier steps.

    Attributes:
        kinds: What each step is.
    """

    def __init__(
        self, steps: Sequence[nn.Module], reads: Sequence[tuple[int, ...]], kinds: Sequence[str], outputs: Sequence[int]
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self.reads, self.kinds, self.outputs = tuple(reads), tuple(kinds), tuple(outputs)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs.

        Args:
            x: The input.
        """
        values = [x]
        for step, reads in zip(self.steps, self.reads, strict=True):
            values.append(step(*(values[k] for k in reads)))
        return tuple(values[k] for k in self.outputs)


def random_model(seed: int, *, steps: int = 8) -> tuple[RandomModel, tuple[Tensor, ...]]:
    """Return a random model in double precision and inputs for it; both depend on the seed alone.

    The graph starts from a vector, a sequence, tokens or an image, and draws residuals, splits, concatenations,
    shared and tied layers, heads, norms, convolutions, gates, reshapes and constants, one or two Linear layers last.

    Args:
        seed: Any integer.
        steps: Largest number of random steps.

    Example:
        >>> model, args = random_model(0)
        >>> [tuple(out.shape) for out in model(*args)] == [tuple(out.shape) for out in random_model(0)[0](*args)]
        True
    """
    choice = Choice(child_generator(seed, "random model"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(choice.integer(0, 2**31))
        plan = _start(choice)
        for _ in range(choice.integer(2, steps)):
            _grow(choice, plan)
        outputs = [_finish(choice, plan, len(plan.values) - 1)]
        if choice.coin(0.2):
            outputs.append(_finish(choice, plan, choice.integer(1, len(plan.values) - 1)))
        model = RandomModel(plan.steps, plan.reads, plan.kinds, outputs).double().train(choice.coin(0.3))
    x = plan.values[0]
    return model, (x.double() if x.is_floating_point() else x,)


def _start(choice: Choice) -> _Plan:
    world = choice.pick(("vector", "sequence", "tokens", "image"))
    width, g = choice.pick((4, 6)), choice.generator
    if world == "tokens":
        plan = _Plan([torch.randint(0, 7, (6, 4), generator=g)])
        plan.add("embedding", nn.Embedding(7, width), (0,))
        return plan
    shape = {"vector": (8, width), "sequence": (4, 4, width), "image": (3, choice.pick((1, 2)), 6, 6)}[world]
    plan = _Plan([torch.randn(shape, generator=g)])
    if world == "image":
        plan.add("conv", nn.Conv2d(shape[1], width, 3, padding=1), (0,))
    else:
        plan.add("linear", nn.Linear(width, choice.width()), (0,))
    return plan


def _grow(choice: Choice, plan: _Plan) -> None:
    """Add one step that fits, mostly to the last value."""
    last = len(plan.values) - 1
    at = last if choice.coin(0.85) else choice.integer(1, last)
    for name, kind in choice.shuffled(KINDS):
        made = kind(choice, plan.values, at)
        if made is not None:
            step, reads = made
            choice.remember(step)
            plan.add(name, step, reads)
            return


def _finish(choice: Choice, plan: _Plan, at: int) -> int:
    """Add a Linear head on a value, now and then none, and return where the output is."""
    if plan.values[at].ndim == 4:
        flat = choice.coin(0.5) and plan.values[at].shape[2] <= 3
        step = nn.Flatten() if flat else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        plan.add("flatten" if flat else "global_pool", step, (at,))
        at = len(plan.values) - 1
    embeddings = [step for step in plan.steps if isinstance(step, nn.Embedding)]
    width = plan.values[at].shape[-1]
    if embeddings and embeddings[0].embedding_dim == width and choice.coin(0.4):
        head = nn.Linear(width, embeddings[0].num_embeddings, bias=False)
        head.weight = embeddings[0].weight
        plan.add("tied_head", head, (at,))
    elif choice.coin(0.9):
        plan.add("head", nn.Linear(width, 3), (at,))
    else:
        return at
    return len(plan.values) - 1
