"""A function or class that a user names by file or package, and calls of it whose errors are one line."""

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from parasym.checkpoint.names import some_names
from parasym.core import BadInputError

FORMS = "`package.module:factory` or `file.py:factory`"


def factory_named(spec: str, *, forms: str = FORMS) -> tuple[ModuleType, Any]:
    """Return what a user names, and the module it stands in. The module is run.

    Args:
        spec: ``package.module:factory`` or ``file.py:factory``.
        forms: What a name may be, for the error.

    Raises:
        BadInputError: If there is no such thing, or running the module fails; the message says where.
    """
    source, colon, name = spec.rpartition(":")
    if not colon or not source or not name:
        raise BadInputError(f"Model `{spec}` must be {forms}, but has no `:factory`.")
    module = _from_file(Path(source), forms) if source.endswith(".py") else _from_package(source)
    return module, _attribute(module, name, spec)


def called(function: Callable[..., Any], what: str, **arguments: Any) -> Any:
    """Return what a function without required arguments returns.

    Args:
        function: A function or class of the user's.
        what: What it is called in errors.
        **arguments: By name.

    Raises:
        BadInputError: If it needs other arguments, or raises; the message says where.
    """
    try:
        required = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.default is p.empty and p.kind < p.VAR_POSITIONAL and p.name not in arguments
        ]
    except (TypeError, ValueError):
        required = []
    if required:
        raise BadInputError(
            f"{what} must be callable without arguments, but needs {some_names(required)}. "
            "Write a function without arguments that calls it, and name that."
        )
    return _guarded(lambda: function(**arguments), f"{what} cannot be built")


def line_of(error: BaseException) -> str:
    """Return the first line of an error.

    Args:
        error: Any.
    """
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no message"


def _from_file(path: Path, forms: str) -> ModuleType:
    if not path.is_file():
        raise BadInputError(f"Model file `{path}` does not exist. A model is {forms}.")
    name = f"parasym_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInputError(f"Model file `{path}` cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    _on_path(str(path.resolve().parent))
    sys.modules[name] = module
    _guarded(lambda: spec.loader.exec_module(module), f"Model file `{path}` cannot be imported")  # pyright: ignore[reportOptionalMemberAccess]
    return module


def _from_package(name: str) -> ModuleType:
    _on_path(str(Path.cwd()))
    return _guarded(lambda: importlib.import_module(name), f"Module `{name}` cannot be imported")


def _on_path(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _attribute(module: ModuleType, name: str, spec: str) -> Any:
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            own = [k for k, v in vars(module).items() if _is_factory(v, module)]
            hint = f"it defines {some_names(own)}" if own else "it defines no function or class"
            raise BadInputError(f"Model `{spec}`: `{module.__file__}` has no `{part}`; {hint}.")
        value = getattr(value, part)
    return value


def _is_factory(value: object, module: ModuleType) -> bool:
    if isinstance(value, nn.Module):
        return True
    return (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__


def _guarded(function: Callable[[], Any], what: str) -> Any:
    try:
        return function()
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        last = next((f for f in reversed(frames) if "importlib" not in f.filename), frames[-1])
        where = f" ({Path(last.filename).name}, line {last.lineno})" if last.filename != __file__ else ""
        if isinstance(error, SyntaxError):
            where = f" ({Path(error.filename or '').name}, line {error.lineno})"
        raise BadInputError(f"{what}: {type(error).__name__}: {line_of(error)}{where}.") from error
