"""The recipe of a broken model, which travels in its state as a tensor of bytes."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from parasym.breaking.drawing import DRAWING
from parasym.breaking.figlu import FiGLU
from parasym.breaking.freeze import freeze_, frozen_tensors
from parasym.breaking.frozen_entries import FrozenEntries
from parasym.checkpoint import read_checkpoint
from parasym.core import RECIPE, BadInputError, CheckpointError, is_recipe

_GIVEN = 1
"""The drawing of models whose constants come from a file: they are saved with the model, as all were before recipes."""


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


def write_recipe_(model: nn.Module, step: Step) -> None:
    """Keep the recipe in a model, in place, so that it travels in its state and another is refused on loading.

    Args:
        model: The root of what was broken.
        step: What was done last.
    """
    before = model._buffers.get(RECIPE)
    steps = () if before is None else Recipe.from_tensor(before).steps
    model.register_buffer(RECIPE, Recipe((*steps, step), DRAWING, digest(model)).to_tensor())
    if before is None:
        model.register_load_state_dict_pre_hook(_on_loading)


def erase_recipe_(model: nn.Module) -> None:
    """Take the recipe out of a model.

    Args:
        model: Changed in place.
    """
    for module in model.modules():
        module._buffers.pop(RECIPE, None)
        module._non_persistent_buffers_set.discard(RECIPE)
        hooks = module._load_state_dict_pre_hooks
        for key in [k for k, wrapped in hooks.items() if getattr(wrapped, "hook", None) is _on_loading]:
            del hooks[key]


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


# -- loading ------------------------------------------------------------------------------------------


def _on_loading(
    module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: Any, unexpected: Any, errors: Any
) -> None:
    """Refuse the state of another architecture; take the constants of a state that has its own."""
    del metadata, strict, missing, unexpected, errors
    own, key = module._buffers.get(RECIPE), prefix + RECIPE
    if own is None:
        return
    mine = Recipe.from_tensor(own)
    theirs = Recipe.from_tensor(state[key]) if key in state else None
    carried = _carried(state, prefix)
    if carried and (theirs is None or theirs.drawing == _GIVEN):
        _take(module, state, prefix, carried)
        module.register_buffer(RECIPE, replace(mine, drawing=_GIVEN, digest=digest(module)).to_tensor().to(own.device))
        if theirs is None:
            _note("it was written by an earlier version, which saved constants instead of the recipe: they are taken from it")
    elif theirs is None:
        _note(_without_recipe(module, state, prefix))
    elif theirs.digest != mine.digest:
        raise CheckpointError(
            f"The state was saved from a model that was broken otherwise: {mine.unlike(theirs)}. Its numbers mean nothing "
            "here. Break a plain model by the recipe of the state, `break_(model, parasym.breaking.recipe_of(state))`, and "
            "load it into that."
        )
    state[key] = module._buffers[RECIPE]


def _carried(state: Mapping[str, Any], prefix: str) -> set[str]:
    """Return the tensors whose constants a state holds."""
    names = (
        key.removesuffix(".0.mask").removeprefix(prefix) for key in state if key.endswith(".0.mask") and key.startswith(prefix)
    )
    return {"".join(name.rsplit("parametrizations.", 1)) for name in names if "parametrizations." in name}


def _take(module: nn.Module, state: dict[str, Any], prefix: str, carried: set[str]) -> None:
    frozen = list(frozen_tensors(module))
    names = {name for name, *_ in frozen}
    if names != carried:
        raise CheckpointError(
            f"The state has frozen entries in other tensors than the model: {', '.join(sorted(names ^ carried)[:4])}. "
            "Break the model by the recipe that the state was saved with."
        )
    taken: dict[int, FrozenEntries] = {}
    for name, owner, tensor, entries in frozen:
        head = name.removesuffix(tensor)
        base = f"{prefix}{head}parametrizations.{tensor}."
        mask, constants = state.pop(base + "0.mask"), state.pop(base + "0.frozen")
        original = state.pop(base + "original", None)
        if original is not None:
            state[prefix + name] = original
        if id(entries) not in taken:
            taken[id(entries)] = FrozenEntries(mask, constants)
            taken[id(entries)].given = True
        freeze_(owner, tensor, taken[id(entries)])


def _without_recipe(module: nn.Module, state: Mapping[str, Any], prefix: str) -> str:
    total = differ = 0
    for name, _, _, entries in frozen_tensors(module):
        weight = state.get(prefix + name)
        if isinstance(weight, Tensor) and weight.shape == entries.shape:
            there = weight.flatten()[entries.flat.to(weight.device)]
            total += entries.count
            differ += int((there != entries.constants.flatten().to(there)).sum())
    return (
        f"it has no recipe, so it may be of another architecture: at {differ} of {total} frozen entries it has other numbers "
        "than the constants of the model, which stay"
    )


def _note(text: str) -> None:
    warnings.warn(f"Loading a state into a broken model: {text}.", stacklevel=7)
