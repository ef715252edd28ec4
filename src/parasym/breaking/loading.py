"""States for broken models: one of another recipe is refused, one with constants of its own brings them along."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from parasym.breaking.drawing import DRAWING
from parasym.breaking.freeze import freeze_, frozen_tensors
from parasym.breaking.frozen_entries import FrozenEntries
from parasym.breaking.recipe import Recipe, Step, digest
from parasym.core import RECIPE, CheckpointError, Params

_GIVEN = 1
"""The drawing of models whose constants come from a file: they are saved with the model, as all were before recipes."""


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


def adopt_state_(model: nn.Module, state: Mapping[str, Tensor]) -> tuple[Params, tuple[str, ...]]:
    """Return a state with the names that a broken model has today, and what is to be said of it.

    A state of version 1 of the drawing holds constants: the model takes them, in place, unless it has taken others before.

    Args:
        model: A model that is broken, or has parts that are; any other takes the state as it is.
        state: Tensors by name.

    Raises:
        CheckpointError: If the state is of a model that was broken otherwise.
    """
    found, notes = dict(state), []
    for path, module in model.named_modules():
        if RECIPE in module._buffers:
            notes += _adopt_(module, found, f"{path}." if path else "")
    return found, tuple(notes)


def _on_loading(
    module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: Any, unexpected: Any, errors: Any
) -> None:
    """Let ``load_state_dict`` do what `adopt_state_` does."""
    del metadata, strict, missing, unexpected, errors
    if RECIPE in module._buffers:
        for note in _adopt_(module, state, prefix):
            warnings.warn(f"Loading a state into a broken model: {note}.", stacklevel=6)


def _adopt_(module: nn.Module, state: dict[str, Any], prefix: str) -> list[str]:
    """Change a state, in place, to one of the module as it is, and the module if the state has constants of its own."""
    mine, key = Recipe.from_tensor(module._buffers[RECIPE]), prefix + RECIPE  # pyright: ignore[reportArgumentType]
    theirs = Recipe.from_tensor(state[key]) if key in state else None
    carried = _carried(state, prefix)
    notes = []
    if carried and (theirs is None or theirs.drawing == _GIVEN):
        _take_(module, mine, state, prefix, carried)
        if theirs is None:
            notes = ["it was written by an earlier version, which saved constants instead of the recipe: they are taken from it"]
    elif theirs is None:
        notes = [_without_recipe(module, state, prefix)]
    elif theirs.digest != mine.digest:
        raise CheckpointError(
            f"The state was saved from a model that was broken otherwise: {mine.unlike(theirs)}. Its numbers mean nothing "
            "here. Break a plain model by the recipe of the state, `break_(model, parasym.breaking.recipe_of(state))`, and "
            "load it into that."
        )
    state[key] = module._buffers[RECIPE]
    return notes


def _carried(state: Mapping[str, Any], prefix: str) -> set[str]:
    """Return the tensors whose constants a state holds."""
    names = (
        key.removesuffix(".0.mask").removeprefix(prefix) for key in state if key.endswith(".0.mask") and key.startswith(prefix)
    )
    return {"".join(name.rsplit("parametrizations.", 1)) for name in names if "parametrizations." in name}


def _take_(module: nn.Module, mine: Recipe, state: dict[str, Any], prefix: str, carried: set[str]) -> None:
    """Let the constants of a state be those of the module, and give the other tensors of the state today's names."""
    frozen = list(frozen_tensors(module))
    names = {name for name, *_ in frozen}
    if names != carried:
        raise CheckpointError(
            f"The state has frozen entries in other tensors than the model: {', '.join(sorted(names ^ carried)[:4])}. "
            "Break the model by the recipe that the state was saved with."
        )
    taken: dict[int, FrozenEntries] = {}
    for name, _, tensor, entries in frozen:
        base = f"{prefix}{name.removesuffix(tensor)}parametrizations.{tensor}."
        mask, constants = state.pop(base + "0.mask"), state.pop(base + "0.frozen")
        original = state.pop(base + "original", None)
        if original is not None:
            state[prefix + name] = original
        taken.setdefault(id(entries), FrozenEntries(mask, constants)).given = True
    if mine.drawing == _GIVEN:
        _check_equal(frozen, taken)
    for _, owner, tensor, entries in frozen:
        freeze_(owner, tensor, taken[id(entries)])
    recipe = replace(mine, drawing=_GIVEN, digest=digest(module)).to_tensor()
    module.register_buffer(RECIPE, recipe.to(module._buffers[RECIPE].device))  # pyright: ignore[reportOptionalMemberAccess]


def _check_equal(frozen: list[tuple[str, nn.Module, str, FrozenEntries]], taken: Mapping[int, FrozenEntries]) -> None:
    """Raise if a model that has the constants of one state is to take those of another."""
    for name, _, _, entries in frozen:
        other = taken[id(entries)]
        mask, constants = other.mask.to(entries.mask.device), other.frozen.to(entries.frozen)
        if not torch.equal(entries.mask, mask) or not torch.equal(entries.frozen, constants):
            raise CheckpointError(
                f"The state has other constants in `{name}` than the one that the model has its constants from: they are of "
                "two architectures. Load it into a model that was broken anew."
            )


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
