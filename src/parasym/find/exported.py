"""The slow capture: ``torch.export``, as the model is written, and decomposed where rules do not cover that."""

import contextlib
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from parasym.core import CaptureError
from parasym.find.capture import Named, described, exported_program
from parasym.find.leaks import Watch
from parasym.find.lower import Lowered
from parasym.find.read import needs_functionalization, read
from parasym.functional.snapshot import Snapshot


def exported(
    model: nn.Module | ExportedProgram, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None
) -> tuple[Named, Lowered]:
    """Return the tensors of a model and its program; the model is left as it was.

    Args:
        model: A module or an exported program.
        args: Example inputs; only their shapes and types matter.
        kwargs: Example keyword inputs.

    Raises:
        CaptureError: If ``torch.export`` cannot trace the model, or it draws numbers in Python, or remembers tensors where they
            cannot be taken back.
    """
    watch, before = Watch(), Snapshot(model, args, kwargs)
    try:
        best = _best(model, args, dict(kwargs or {}))
        if isinstance(model, nn.Module):
            before.check_draws(model)
        return best
    finally:
        before.restore()
        watch.take_back(watch.fakes(), {}, model)


def _best(model: nn.Module | ExportedProgram, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Named, Lowered]:
    """Return the program of the level on which rules cover most."""
    program, owner = exported_program(model, args, kwargs), model if isinstance(model, nn.Module) else None
    captured = described(program, owner)
    if needs_functionalization(captured.graph):
        captured = described(program, owner, level="functional")
    lowered = read(captured)
    if lowered.uncovered:
        with contextlib.suppress(CaptureError):  # what torch cannot decompose stays as it is, with what is uncovered
            second = described(program, owner, level="core")
            again = read(second)
            again.bugs += [bug for bug in lowered.bugs if bug not in again.bugs]
            if len(again.uncovered) < len(lowered.uncovered):
                return second.named, again
            lowered.bugs = again.bugs
    return captured.named, lowered
