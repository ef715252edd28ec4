"""A verb that is listed without its module, which is imported when the verb is used."""

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

PACKAGE = "parasym.cli"


class Verb(TyperCommand):
    """What stands for a verb in the list of commands: its name and the first sentence about it.

    Args:
        function: Its name in the table, which is that of its module too.
    """

    def __init__(self, function: str) -> None:
        self.function = function
        super().__init__(function.rstrip("_"), help=summary(function))

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the context of the verb itself: from here on its module is needed.

        Args:
            args: As typer gives them.
            kwargs: As typer gives them.
        """
        return self.loaded().make_context(*args, **kwargs)

    def loaded(self) -> Any:
        """Return the command that the verb's function makes."""
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.name)(imported(self.function))
        return get_command(alone)


def imported(function: str) -> Callable[..., None]:
    """Return the function of a verb, and import what it needs.

    Args:
        function: Its name in the table.
    """
    return getattr(import_module(f"{PACKAGE}.{function}"), function)


@cache
def summary(function: str) -> str:
    """Return the first paragraph of what the verb's docstring says, from its source.

    Args:
        function: Its name in the table.
    """
    name = f"{PACKAGE}.{function}"
    spec = find_spec(name)
    source = getattr(spec.loader, "get_source", lambda _: None)(name) if spec else None
    if source is None:  # a distribution without sources
        return cleandoc(imported(function).__doc__ or "").partition("\n\n")[0]
    (found,) = (x for x in ast.parse(source).body if isinstance(x, ast.FunctionDef) and x.name == function)
    return (ast.get_docstring(found) or "").partition("\n\n")[0]
