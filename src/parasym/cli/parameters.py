"""Checkpoints and symmetries that a command is given as files."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

import torch
from torch import nn

from parasym.breaking import adopt_state_
from parasym.checkpoint import Checkpoint, Fitted, completed, conflicts, fit_checkpoint, read_checkpoint, tied_names, untie_
from parasym.checkpoint.names import some_names
from parasym.cli.progress import working
from parasym.cli.screen import tell
from parasym.core import BadInputError
from parasym.symmetry import Symmetry


def read_told(path: Path) -> Checkpoint:
    """Return a checkpoint, and tell what was done to it and what was left unread.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it cannot be read.
    """
    with working(f"Reading {path}"):
        found = read_checkpoint(path)
    tell(f"{path}: {note}" for note in found.notes)
    return found


def read_fitted(paths: Sequence[Path], model: nn.Module, *, untie: bool = False) -> list[Fitted]:
    """Return checkpoints as parameters of ``model``, and tell what was done to them.

    Args:
        paths: The files.
        model: The model that they are for; with ``untie`` it is changed where the files differ from it.
        untie: Whether names that the model ties, and that differ in a file, become parameters of their own.

    Raises:
        CheckpointError: If one cannot be read or does not fit.
    """
    found = [read_told(path) for path in paths]
    if untie:
        tied = tied_names(model)
        apart = sorted({conflict.name for each in found for conflict in conflicts(each, tied)} & tied.keys())
        for name in apart:
            untie_(model, name)
        told = [completed(each, tied, apart) for each in found]
        tell(f"{one.path}: {note}" for one, each in zip(told, found, strict=True) for note in one.notes[len(each.notes) :])
        tell([f"untied, for the files differ there: {some_names(apart)}" if apart else "nothing to untie: no tied names differ"])
        found = told
    fitted = [fit_checkpoint(each, model, adopt=adopt_state_) for each in found]
    for path, each, one in zip(paths, found, fitted, strict=True):
        tell(f"{path}: {note}" for note in one.notes[len(each.notes) :])
    return fitted


def in_one_precision(fitted: Sequence[Fitted]) -> list[Fitted]:
    """Return checkpoints of different precision in the widest of them, name by name, and tell.

    :meth:`Fitted.as_saved` still goes back to the precision of each file.

    Args:
        fitted: Checkpoints of one model.
    """
    widest = {
        name: reduce(torch.promote_types, [each.params[name].dtype for each in fitted])
        for name, value in fitted[0].params.items()
        if value.is_floating_point()
    }
    mixed = [name for name, dtype in widest.items() if any(each.params[name].dtype != dtype for each in fitted)]
    if not mixed:
        return list(fitted)
    tell([f"{len(mixed)} tensors differ in precision between the checkpoints: computed in the widest"])
    return [replace(each, params=each.params | {name: each.params[name].to(widest[name]) for name in mixed}) for each in fitted]


def read_symmetry(path: Path) -> Symmetry:
    """Return the symmetry that ``parasym find -o`` wrote.

    Args:
        path: The file.

    Raises:
        BadInputError: If it does not exist or is something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"Symmetry `{path}` must be a file written by `parasym find -o`, but cannot be read: {error}."
        ) from error
    try:
        return Symmetry.from_json(text)
    except BadInputError as error:
        raise BadInputError(f"Symmetry `{path}` cannot be used: {error}") from error
