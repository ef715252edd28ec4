"""What the ``forward`` of a model takes: its required arguments, and the names it knows."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Signature:
    """The arguments of a function, without ``self``.

    Attributes:
        positional: Names of the arguments that may be given by position, in order.
        required: Those of them without a default.
        named: Names that may be given by name.
        needed: Those of all arguments that have no default.
        any_number: Whether it takes ``*args``.
        any_name: Whether it takes ``**kwargs``.
    """

    positional: tuple[str, ...]
    required: tuple[str, ...]
    named: tuple[str, ...]
    needed: tuple[str, ...]
    any_number: bool
    any_name: bool

    def takes(self, names: Iterable[Any]) -> bool:
        """Return whether all of ``names`` may be given by name.

        Args:
            names: Names.
        """
        return all(isinstance(name, str) and (self.any_name or name in self.named) for name in names)

    def complaint(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return what is wrong with arguments, as the end of a sentence that begins with the model; empty if nothing is.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
        """
        if len(args) > len(self.positional) and not self.any_number:
            return f"takes {self.listed(self.positional) or 'no argument'}, but was given {len(args)} by position"
        given = {*self.positional[: len(args)], *kwargs}
        missing = [name for name in self.needed if name not in given]
        if missing:
            return f"needs {self.listed(missing)}, which was not given"
        unknown = [name for name in kwargs if not self.takes([name])]
        if unknown:
            return f"knows no {self.listed(unknown)}; it takes {self.listed(self.named) or 'no argument by name'}"
        twice = [name for name in self.positional[: len(args)] if name in kwargs]
        return f"was given {self.listed(twice)} by position and by name" if twice else ""

    @staticmethod
    def listed(names: Iterable[str]) -> str:
        """Return names in backticks, separated by commas.

        Args:
            names: Names.
        """
        return ", ".join(f"`{name}`" for name in names)


def signature_of(model: nn.Module) -> Signature | None:
    """Return what the ``forward`` of a model takes, or ``None`` where Python cannot tell.

    Wrappers (``torch.compile``, data parallelism) are looked through.

    Args:
        model: Any module.

    Example:
        >>> signature_of(nn.Bilinear(2, 3, 4)).required
        ('input1', 'input2')
    """
    inner: Any = model
    while True:
        if isinstance(inner, (DataParallel, DistributedDataParallel)):
            inner = inner.module
        elif isinstance(getattr(inner, "_orig_mod", None), nn.Module):
            inner = inner._orig_mod
        else:
            break
    try:
        parameters = inspect.signature(inner.forward).parameters.values()
    except (TypeError, ValueError):
        return None
    return Signature(
        positional=tuple(p.name for p in parameters if p.kind in _POSITIONAL),
        required=tuple(p.name for p in parameters if p.kind in _POSITIONAL and p.default is p.empty),
        named=tuple(p.name for p in parameters if p.kind in _NAMED),
        needed=tuple(p.name for p in parameters if p.kind in (*_POSITIONAL, *_NAMED) and p.default is p.empty),
        any_number=any(p.kind is p.VAR_POSITIONAL for p in parameters),
        any_name=any(p.kind is p.VAR_KEYWORD for p in parameters),
    )
