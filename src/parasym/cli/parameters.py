"""Checkpoints and symmetries that a command is given as files."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

import torch
from torch import nn

from parasym.checkpoint import Fitted, fit_checkpoint, read_checkpoint
from parasym.cli.progress import working
from parasym.cli.screen import tell
from parasym.core import BadInputError
from parasym.symmetry import Symmetry


def read_fitted(path: Path, model: nn.Module) -> Fitted:
    """Return a checkpoint as parameters of ``model``, and tell what was done to it.

    Args:
        path: The file.
        model: The model that it is for.

    Raises:
        CheckpointError: If it cannot be read or does not fit.
    """
    with working(f"Reading {path}"):
        fitted = fit_checkpoint(read_checkpoint(path), model)
    tell([f"{path}: {note}" for note in fitted.notes])
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
