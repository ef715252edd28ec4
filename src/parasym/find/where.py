"""What an error in a model's code says, and where it was raised, in one line."""

import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

from parasym.core import CaptureError, SymmetryError
from parasym.functional import Call

_NEEDS_VALUES = ("GuardOnDataDependentSymNode", "DataDependentOutputException", "DynamicOutputShapeException")

_PYTHON = str(Path(traceback.__file__).parent)
_OURS = (str(Path(__file__).parents[1]), str(Path(torch.__file__).parent), "<")


def failed(error: Exception, model: Any, call: Call | None) -> SymmetryError:
    """Return what to raise for an error in a model's code, or in torch while it reads the model.

    Args:
        error: What was raised.
        model: The model that was running.
        call: What it was called with, if that is known.
    """
    if isinstance(error, SymmetryError):
        return error
    name, place = type(model).__name__, place_of(error, model)
    if type(error).__name__ in _NEEDS_VALUES or ".numpy() is not supported" in str(error):
        return CaptureError(
            f"The forward of {name} asks for the values of tensors{place and ' '}{place}: {first_line(error)}. parasym reads a "
            "model without running it on numbers, so `forward` must not branch on the values of tensors (use torch.where)."
        )
    if not place:
        return CaptureError(f"torch.export cannot read {name}: {first_line(error)}.")
    given = "" if call is None else f" The inputs were {call}."
    return CaptureError(
        f"The forward of {name} fails {place}: {first_line(error)}.{given} Check how many it needs, their shapes, types and "
        "devices. If it works on them, pass what `torch.export.export(model, args)` returns instead of the model."
    )


def bug(error: Exception, what: str) -> str:
    """Return what to say of an error in code of our own.

    Args:
        error: What was raised.
        what: What has failed, as the subject of a sentence.
    """
    *_, (frame, number) = traceback.walk_tb(error.__traceback__)
    file = frame.f_code.co_filename
    return f"a bug in parasym, please report: {what} fails with {first_line(error)} ({Path(file).name}:{number})"


def place_of(error: BaseException, model: Any) -> str:
    """Return the path of the innermost module and the line of code that an error comes from; empty if neither is known.

    Args:
        error: What was raised.
        model: The model that was running.

    Example:
        >>> model = nn.Sequential(nn.ReLU(), nn.Linear(3, 4))
        >>> try:
        ...     model(torch.zeros(2, 5))
        ... except RuntimeError as error:
        ...     place_of(error, model)
        'in `1`'
    """
    module, line = _innermost(reversed([*traceback.walk_tb(error.__traceback__)]), model)
    return ", ".join([*([f"in `{module}`"] if module else []), *([f"at {line}"] if line else [])])


class Running:
    """Says which module of a model is running, and at which line of the model's code.

    It is asked for every operation of a pass, so that it looks at as few frames as it can.

    Args:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._files: dict[str, str] = {}
        """Whose code a file holds, by its name."""

    def __call__(self) -> tuple[str, str]:
        """Return the path of the module, and the line as ``file:line``; empty where there is none."""
        module: str | None = None
        line, outside = "", False
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and (module is None or not line):
            code = frame.f_code
            kind = self._files.get(code.co_filename)
            if kind is None:
                kind = self._files[code.co_filename] = _kind(code.co_filename)
            if kind is _OWN:
                if outside:
                    break  # where the pass called the model
            else:
                outside = True
                if kind is _FOREIGN and not line:
                    line = f"{code.co_filename}:{frame.f_lineno}"
                if module is None and code.co_argcount and code.co_varnames[0] == "self":
                    module = self._paths.get(id(_owner(frame)))
            frame = frame.f_back
        return module or "", line


_HERE = str(Path(__file__).parent)
_OWN, _FOREIGN, _SYSTEM = "own", "foreign", "system"


def _kind(file: str) -> str:
    """Return whether a file holds code of this folder, that of a model, or torch's and Python's own."""
    return _OWN if file.startswith(_HERE) else _FOREIGN if _is_foreign(file) else _SYSTEM


def _owner(frame: FrameType) -> Any:
    """Return ``self`` of a method that runs; a snapshot of its variables would keep tensors alive."""
    variables = frame.f_locals
    owner = variables.get("self")
    if type(variables) is dict:
        variables.clear()
    return owner


def _is_foreign(file: str) -> bool:
    """Whether a file holds neither our code nor torch's nor Python's own."""
    return not file.startswith(_OURS) and (not file.startswith(_PYTHON) or "-packages" in file)


def _innermost(frames: Iterable[tuple[FrameType, int]], model: Any) -> tuple[str, str]:
    """Return the path of the first module and the first line of code that is neither ours nor torch's, from inside out."""
    paths = {id(module): path for path, module in model.named_modules()} if isinstance(model, nn.Module) else {}
    module = line = ""
    for frame, number in frames:
        owner, file = frame.f_locals.get("self"), frame.f_code.co_filename
        module = module or paths.get(id(owner), "")
        if not line and _is_foreign(file):
            line = f"{file}:{number}"
        if owner is model:
            break
    return module, line


def first_line(error: BaseException) -> str:
    """Return the class of an error and the first line of what it says.

    Args:
        error: What was raised.

    Example:
        >>> first_line(ValueError("no."))
        'ValueError: no'
    """
    said = str(error).strip().split("\n")[0].strip().rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def let_go(error: BaseException) -> None:
    """Clear the frames that an error and its causes went through: they hold tensors, and guards of torch that stay in force.

    Args:
        error: What was raised.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            for frame, _ in traceback.walk_tb(one.__traceback__):
                frame.f_locals  # noqa: B018  brings what was once read of the variables up to date: they are no more
            todo += [one.__cause__, one.__context__]
