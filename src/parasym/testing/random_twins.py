"""Random models of equal branches, and the same models with one number of one branch changed."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from parasym.core import child_generator
from parasym.testing.random_parts import Apply
from parasym.testing.random_readings import Function, random_reading
from parasym.testing.random_step import Choice

_ACTIVATIONS: tuple[Function, ...] = (
    torch.relu,
    torch.tanh,
    torch.sigmoid,
    nn.functional.gelu,
    torch.sin,
    torch.abs,
    torch.clone,
)
_DTYPES = (torch.float64, torch.float32, torch.bfloat16)


class Branches(nn.Module):
    """The sum of branches: each a layer, an activation, and ways to read what comes out.

    Args:
        layers: One layer for every branch.
        activation: The activation of all.
        readings: For every branch the functions that it is read by, one after the other.
    """

    def __init__(self, layers: Sequence[nn.Module], activation: Function, readings: Sequence[Sequence[Function]]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(layer, Apply(activation), *map(Apply, chain)) for layer, chain in zip(layers, readings, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum.

        Args:
            x: The input.
        """
        return torch.stack([branch(x) for branch in self.branches]).sum(0)


class Twins(nn.Module):
    """A function of a sum of branches.

    Args:
        sum: The sum.
        names: What the readings are called.
        changed: Index of the branch that is read in another way, ``None`` if all are read alike.
    """

    def __init__(self, sum: Branches, names: Sequence[str], changed: int | None) -> None:
        super().__init__()
        self.sum, self.head = sum, nn.LazyLinear(2)
        self.names, self.changed = tuple(names), changed

    @property
    def count(self) -> int:
        """Number of branches."""
        return len(self.sum.branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return a function of the sum.

        Args:
            x: The input.
        """
        return self.head(self.sum(x).flatten()[None])


def random_twins(seed: int) -> tuple[Twins, Twins, tuple[Tensor, ...]]:
    """Return branches that may change places, the same with one number of one branch changed, and inputs.

    All of it depends on the seed alone, the precision (float64, float32 or bfloat16) too.

    Args:
        seed: Any integer.

    Example:
        >>> twins, changed, args = random_twins(0)
        >>> twins.changed is None, changed.changed in range(changed.count)
        (True, True)
    """
    choice = Choice(child_generator(seed, "random twins"))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(choice.integer(0, 2**31))
        make, x = _start(choice)
        alike, other, names, where, odd = random_branches(choice, make, x)
        twins, changed = Twins(alike, names, None), Twins(other, [names[where]], odd)
        dtype = choice.pick(_DTYPES)
        for model in (twins, changed):
            model(x)  # the head learns its size
    twins, changed = twins.to(dtype), changed.to(dtype)
    return twins, changed, (x.to(dtype) if x.is_floating_point() else x,)


def random_branches(choice: Choice, make: Callable[[], nn.Module], x: Tensor) -> tuple[Branches, Branches, list[str], int, int]:
    """Return a sum of equal branches, the same with one number of one branch changed, and what was changed.

    Args:
        choice: What draws.
        make: Returns a new layer.
        x: An input of the layers.

    Returns:
        Both sums; the names of the readings, which of them was changed, and in which branch.
    """
    layers = [make() for _ in range(choice.pick((2, 2, 3)))]
    activation = choice.pick(_ACTIVATIONS)
    value = activation(layers[0](x))
    names, alike, other = [], [], []
    for _ in range(choice.integer(1, 3)):
        name, first, second = random_reading(choice, value)
        value = first(value)
        names.append(name)
        alike.append(first)
        other.append(second)
    where, odd = choice.integer(0, len(alike) - 1), choice.integer(0, len(layers) - 1)
    swapped = [*alike[:where], other[where], *alike[where + 1 :]]
    chains = [alike] * len(layers)
    changed = Branches(layers, activation, [*chains[:odd], swapped, *chains[odd + 1 :]])
    return Branches(layers, activation, chains), changed, names, where, odd


def _start(choice: Choice) -> tuple[Callable[[], nn.Module], Tensor]:
    """Return what makes a layer, and an input for it."""
    g, positions = choice.generator, choice.integer(4, 6)
    world = choice.pick(("sequence", "tokens", "signal", "image", "recurrence", "normalized"))
    if world == "sequence":
        return (lambda: nn.Linear(3, 4)), torch.randn(3, positions, 3, generator=g)
    if world == "tokens":
        return (lambda: nn.Embedding(7, 4)), torch.randint(0, 7, (3, positions), generator=g)
    if world == "recurrence":
        kind = choice.pick((nn.RNN, nn.GRU, nn.LSTM))
        return (lambda: nn.Sequential(kind(3, 4, batch_first=True), Apply(_first))), torch.randn(3, positions, 3, generator=g)
    if world == "normalized":
        layers = lambda: (nn.Conv1d(2, 3, 3, padding=1), nn.BatchNorm1d(3), Apply(_last))  # noqa: E731
        return (lambda: nn.Sequential(*layers())), torch.randn(3, 2, positions, generator=g)
    if world == "signal":
        return (lambda: nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), Apply(_last))), torch.randn(3, 2, positions, generator=g)
    return (lambda: nn.Conv2d(2, 3, 3, padding=1)), torch.randn(2, 2, positions, 4, generator=g)


def _last(x: Tensor) -> Tensor:
    return x.movedim(1, -1)


def _first(outputs: tuple[Tensor, ...]) -> Tensor:
    return outputs[0]
