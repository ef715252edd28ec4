"""parasym finds the parameter symmetries of any model, proves them, and puts them to work."""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from parasym.version import __version__

if TYPE_CHECKING:
    from parasym.breaking import SigmaAsymmetric, WAsymmetric, break_
    from parasym.core import SymmetryError, model_params
    from parasym.find import find
    from parasym.hopping import hop
    from parasym.landscape import Barrier, barrier
    from parasym.orbit import (
        ActivationMatching,
        Canonical,
        Match,
        Merge,
        WeightMatching,
        canonicalize,
        distance,
        match,
        match_many,
        merge,
    )
    from parasym.symmetry import Element, Symmetry
    from parasym.verify import Report, verify

__all__ = [
    # Find and verify
    "find",
    "verify",
    # Move along the orbit
    "match",
    "match_many",
    "merge",
    "distance",
    "canonicalize",
    "hop",
    "barrier",
    # Break
    "break_",
    # Methods
    "WeightMatching",
    "ActivationMatching",
    "WAsymmetric",
    "SigmaAsymmetric",
    # Values
    "Symmetry",
    "Element",
    "Match",
    "Merge",
    "Canonical",
    "Report",
    "Barrier",
    "SymmetryError",
    "model_params",
    "__version__",
]

_ROOMS: dict[str, tuple[str, ...]] = {
    "breaking": ("SigmaAsymmetric", "WAsymmetric", "break_"),
    "core": ("SymmetryError", "model_params"),
    "find": ("find",),
    "hopping": ("hop",),
    "landscape": ("Barrier", "barrier"),
    "orbit": (
        "ActivationMatching",
        "Canonical",
        "Match",
        "Merge",
        "WeightMatching",
        "canonicalize",
        "distance",
        "match",
        "match_many",
        "merge",
    ),
    "symmetry": ("Element", "Symmetry"),
    "verify": ("Report", "verify"),
}
"""Where each name of the top lies; what is imported above for the type checker."""

_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


class _Package(ModuleType):
    """The package, whose names and rooms are imported when they are used: `import parasym` alone needs no torch."""

    def __getattr__(self, name: str) -> Any:
        room = _ROOM_OF.get(name)
        if room is not None:
            value = getattr(import_module(f"{__name__}.{room}"), name)
            setattr(self, name, value)
            return value
        if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        # An imported module becomes an attribute of its package: the rooms `find` and `verify` would take the place of the verbs.
        if name not in _ROOM_OF or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
