"""A source of data: what the table lists and the command line offers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from parasym.data.graph import NodeLabels
from parasym.data.images import Images


class Load(Protocol):
    """Reads the data, or a part of it."""

    def __call__(self, path: Path | None, *, train: int | None, test: int | None, seed: int) -> Images | NodeLabels:
        """Return the data.

        Args:
            path: Where it is; ``None`` for where the source keeps it.
            train: How many train examples; ``None`` for all.
            test: How many test examples; ``None`` for all.
            seed: Seed of split and choice.
        """
        ...


@dataclass(frozen=True)
class Source:
    """Where data comes from.

    Attributes:
        name: Short name, as in ``--data name=PATH``.
        title: Name for people.
        load: Reads it.
        path: What a path must be; empty if none is taken.
    """

    name: str
    title: str
    load: Load
    path: str = ""
