"""A network of the user's own, named by the file that makes it and by the hash of that file."""

import hashlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from parasym.core import BadInputError
from parasym.functional.factory import called, factory_named

SIGN = "@"
DIGITS = 16
"""Of the SHA-256 of its file that a name ends with: rows of another file are rows of another network."""


def own_name(spec: str) -> str:
    """Return the name by which tasks know a network of the user's.

    Args:
        spec: ``file.py:factory`` or ``package.module:factory``; the factory may take a ``width``, which then needs a default.

    Raises:
        BadInputError: If it names nothing that makes a module, or its width has no default.
    """
    module, factory = factory_named(spec)
    name = f"{spec}{SIGN}{_digest(Path(str(module.__file__)))}"
    if isinstance(factory, nn.Module) or not callable(factory):
        raise BadInputError(
            f"Model `{spec}` must name a function or a class, so that every network starts anew, but names a "
            f"{type(factory).__name__}."
        )
    build_own(name, 1.0)
    return name


def is_own(name: str) -> bool:
    """Return whether a name is that of a network of the user's.

    Args:
        name: Of any network.
    """
    return SIGN in name and ":" in name


def own_title(name: str) -> str:
    """Return the name for people.

    Args:
        name: As `own_name` returns it.
    """
    return name.rpartition(SIGN)[0]


def build_own(name: str, width: float) -> nn.Module:
    """Return a new network.

    Args:
        name: As `own_name` returns it.
        width: Multiple of the default of the factory's ``width``.

    Raises:
        BadInputError: If the file is another one by now, if it fails, or if it takes no width and another one is wanted.
    """
    spec = own_title(name)
    factory = _factory(name)
    arguments: dict[str, Any] = {}
    if width != 1:
        arguments["width"] = _width(factory, spec, width)
    model = called(factory, f"Model `{spec}`", **arguments)
    if not isinstance(model, nn.Module):
        raise BadInputError(f"Model `{spec}` must return a torch.nn.Module, but returned a {type(model).__name__}.")
    return model


def _width(factory: Callable[..., Any], spec: str, multiple: float) -> float:
    taken = inspect.signature(factory).parameters.get("width")
    if taken is None:
        raise BadInputError(f"the factory of `{spec}` takes no argument `width`")
    if not isinstance(taken.default, (int, float)) or isinstance(taken.default, bool):
        raise BadInputError(f"Argument `width` of `{spec}` must have a number as its default.")
    wide = taken.default * multiple
    return max(1, round(wide)) if isinstance(taken.default, int) else wide


@lru_cache(maxsize=4)
def _factory(name: str) -> Any:
    spec, _, digest = name.rpartition(SIGN)
    module, factory = factory_named(spec)
    if _digest(Path(str(module.__file__))) != digest:
        raise BadInputError(f"Model file `{module.__file__}` is not the one that this study was begun with.")
    return factory


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
