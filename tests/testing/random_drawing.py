"""What random models draw, in numbers: ``python -m tests.testing.random_drawing`` writes the record anew.

Reports and tests name random models by their seeds, so that what a seed draws is an interface: a change that only draws another
model, as good as the one before, makes every seed that was ever named stand for something else.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from parasym.core import child_generator
from parasym.testing.random_kinds import KINDS
from parasym.testing.random_model import random_model
from parasym.testing.random_readings import READINGS
from parasym.testing.random_step import Choice
from parasym.testing.random_twins import random_twins

RECORD = Path(__file__).parent / "random_drawing.json"
SHAPES = ((8, 6), (8, 8), (4, 4, 6), (4, 4, 8), (3, 4, 6, 6), (3, 4, 3, 3), (3, 8, 2, 2))
DRAWS, MODELS = 12, 10

Numbers = list[float]


def drawn() -> dict[str, Numbers]:
    """Return the numbers of every kind of step, of every way to read a tensor, and of whole models."""
    found = {f"step: {name}": [_steps(name, kind, shape) for shape in SHAPES] for name, kind in dict(KINDS).items()}
    found |= {f"reading: {name}": [_readings(name, draw, shape) for shape in SHAPES] for name, draw in dict(READINGS).items()}
    return found | {f"seed {seed}": list(_models(seed)) for seed in range(MODELS)}


def recorded() -> dict[str, Numbers]:
    """Return the numbers as they were when seeds got their meaning."""
    return json.loads(RECORD.read_text())


def weighed(*values: Tensor) -> float:
    """Return a number that depends on every entry, its place, and the shapes."""
    total = 0.0
    for k, x in enumerate(values):
        flat = x.detach().double().flatten().nan_to_num(7.0, 11.0, -13.0)
        shape = sum(n * 0.1**place for place, n in enumerate(x.shape))
        total += (k + 1) * (float(flat @ torch.arange(len(flat), dtype=torch.float64).cos()) / max(1, len(flat)) + shape)
    return total


def _choices(label: str, shape: tuple[int, ...]) -> Iterator[tuple[Choice, list[Tensor]]]:
    """Yield what draws, and three values of a shape."""
    for seed in range(DRAWS):
        generator = child_generator(seed, f"{label} {shape}")
        values = [torch.randn(shape, generator=generator) for _ in range(3)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield Choice(generator), values


def _steps(label: str, kind: Callable[..., tuple[nn.Module, tuple[int, ...]] | None], shape: tuple[int, ...]) -> float:
    total = 0.0
    for k, (choice, values) in enumerate(_choices(label, shape)):
        for layer in (nn.Linear(shape[-1], 4), nn.Linear(4, shape[-1])):
            choice.remember(layer)
        made = kind(choice, values, 2)
        if made is not None:
            step, reads = made
            with torch.no_grad():
                total += (k + 1) * weighed(step.double()(*(values[place].double() for place in reads)))
    return total


def _readings(
    label: str,
    draw: Callable[[Choice, Tensor], tuple[Callable[[Tensor], Tensor], ...] | None],
    shape: tuple[int, ...],
) -> float:
    total = 0.0
    for k, (choice, values) in enumerate(_choices(label, shape)):
        pair = draw(choice, values[0])
        total += 0.0 if pair is None else (k + 1) * weighed(*(read(values[0].double()) for read in pair))
    return total


def _models(seed: int) -> Iterator[float]:
    """Yield a number for the random model of a seed, for its twins, and for the twins of which one was changed."""
    model, args = random_model(seed)
    twins, changed, (x,) = random_twins(seed)
    x = x.double() if x.is_floating_point() else x
    with torch.no_grad():
        yield weighed(*model(*args))
        yield from (weighed(each.double()(x)) for each in (twins, changed))


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps([float(f'{x:.10g}') for x in numbers])}" for name, numbers in drawn().items())
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
