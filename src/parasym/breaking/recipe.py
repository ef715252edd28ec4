"""The recipe of a broken model, which travels in its state as a tensor of bytes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from parasym.breaking.figlu import FiGLU
from parasym.breaking.freeze import frozen_tensors
from parasym.checkpoint import read_checkpoint
from parasym.core import RECIPE, BadInputError, CheckpointError, is_recipe


@dataclass(frozen=True)
class Step:
    """One method by which a model was broken.

    Attributes:
        method: Its name in `METHODS`.
        options: Its fields.
        plan: What it froze or replaced, in a form that JSON holds.
    """

    method: str
    options: dict[str, Any]
    plan: list[dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """How a model was broken: enough to break another of its kind alike.

    Attributes:
        steps: The methods, first to last.
        drawing: Version of the drawing of places and constants.
        digest: SHA-256 of all constants: two models are of one architecture if theirs agree.
    """

    steps: tuple[Step, ...]
    drawing: int
    digest: str

    def to_tensor(self) -> Tensor:
        """Return the recipe as bytes of JSON, of shape ``[n]``."""
        return torch.frombuffer(bytearray(json.dumps(asdict(self)).encode()), dtype=torch.uint8)

    @staticmethod
    def from_tensor(data: Tensor) -> "Recipe":
        """Return the recipe that `to_tensor` wrote.

        Args:
            data: Bytes.

        Raises:
            CheckpointError: If they are no recipe.
        """
        try:
            content = json.loads(bytes(data.cpu().numpy().tobytes()))
            return Recipe(tuple(Step(**step) for step in content["steps"]), content["drawing"], content["digest"])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"`{RECIPE}` is no recipe of this package: {error}. The file is damaged.") from error

    def __str__(self) -> str:
        """Return methods and options on one line."""
        return " and ".join(f"{step.method}({', '.join(f'{k}={v!r}' for k, v in step.options.items())})" for step in self.steps)

    def unlike(self, other: "Recipe") -> str:
        """Return in words how another recipe differs.

        Args:
            other: The other one.
        """
        if self.drawing != other.drawing:
            return f"drawing {other.drawing} instead of {self.drawing}"
        if [step.method for step in self.steps] != [step.method for step in other.steps]:
            return f"{other} instead of {self}"
        pairs = [(a.options, b.options) for a, b in zip(self.steps, other.steps, strict=True)]
        options = [f"{k}={b.get(k)!r} instead of {a.get(k)!r}" for a, b in pairs for k in a if a.get(k) != b.get(k)]
        mine, theirs = ({p.get("tensor", p.get("path")) for step in r.steps for p in step.plan} for r in (self, other))
        if mine != theirs:
            options.append(f"other tensors ({', '.join(sorted(map(str, mine ^ theirs))[:4])}): was one broken without inputs?")
        return ", ".join(options) or "other constants from the same recipe, as another version or processor may draw them"


def recipe_of(source: nn.Module | Mapping[str, Tensor] | str | Path) -> Recipe:
    """Return the recipe by which a model was broken, to break another one alike: ``break_(model, recipe)``.

    Args:
        source: A broken model, its state, or a file with its state.

    Raises:
        BadInputError: If there is no recipe.

    Example:
        >>> from parasym.breaking import WAsymmetric, break_
        >>> broken = break_(nn.Linear(3, 2), WAsymmetric(frozen=1, seed=7)).model
        >>> recipe = recipe_of(broken.state_dict())
        >>> print(recipe.drawing, recipe.steps[0].options["seed"])
        2 7
        >>> again = break_(nn.Linear(3, 2), recipe).model
        >>> torch.equal(again.parametrizations.weight[0].frozen, broken.parametrizations.weight[0].frozen)
        True
    """
    if isinstance(source, str | Path):
        source = read_checkpoint(source).params
    state = dict(source.named_buffers()) if isinstance(source, nn.Module) else source
    found = [name for name in state if is_recipe(name)]
    if len(found) != 1:
        raise BadInputError(
            f"Argument `source` must hold one recipe, as `{RECIPE}`, but has {len(found)}. Was it saved from `break_(...).model`?"
        )
    return Recipe.from_tensor(state[found[0]])


def digest(model: nn.Module) -> str:
    """Return SHA-256 of everything that a model's architecture draws from a seed.

    Args:
        model: A broken model.
    """
    out = hashlib.sha256()
    for name, _, _, entries in frozen_tensors(model):
        out.update(f"{name}:{tuple(entries.shape)}:{tuple(entries.places.shape)}:{entries.constants.dtype}".encode())
        out.update(entries.places.cpu().numpy().tobytes())
        out.update(entries.constants.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    for path, module in model.named_modules():
        if isinstance(module, FiGLU):
            out.update(f"{path}:{module}".encode())
            out.update(module.frozen.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return out.hexdigest()
