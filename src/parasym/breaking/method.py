"""What every way to break symmetries promises."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from parasym.breaking.report import BreakReport
from parasym.functional import Call


@dataclass(frozen=True)
class AbstractBreaking(ABC):
    """A recipe that turns an architecture into one with fewer symmetries.

    A recipe holds no tensors: what it freezes is drawn from its seed, so that two networks broken by the same recipe
    are the same architecture and may be compared, averaged and stacked.
    """

    @abstractmethod
    def apply(
        self, model: nn.Module, call: Call | None, *, generator: torch.Generator | None
    ) -> tuple[BreakReport, list[dict[str, Any]]]:
        """Break ``model`` in place. ``break_`` hands over a copy.

        Args:
            model: A module that nobody else holds.
            call: Example inputs, ``None`` if there are none.
            generator: Source of new initial weights, where the recipe asks for them.

        Returns:
            What was done, and a plan by which `replay` does the same to another model.
        """

    @classmethod
    @abstractmethod
    def replay(cls, model: nn.Module, options: dict[str, Any], plan: list[dict[str, Any]]) -> BreakReport:
        """Break ``model`` in place as another one was broken before.

        Args:
            model: A module that nobody else holds.
            options: The fields of the recipe, as JSON holds them.
            plan: What `apply` returned.
        """

    def options(self) -> dict[str, Any]:
        """Return the fields of the recipe, as JSON holds them."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def __str__(self) -> str:
        """Return the name with those fields that differ from their defaults."""
        changed = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{type(self).__name__}({', '.join(changed)})"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value.__name__ if isinstance(value, type) else value
