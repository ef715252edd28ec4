"""Data by the name of its source."""

from pathlib import Path

from parasym.core import BadInputError
from parasym.data._table import SOURCES
from parasym.data.graph import NodeLabels
from parasym.data.images import Images


def load(
    name: str, path: Path | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> Images | NodeLabels:
    """Return the data of a source of the table.

    Args:
        name: Its short name.
        path: Where it is; ``None`` for where the source keeps it.
        train: How many train examples; ``None`` for all.
        test: How many test examples; ``None`` for all.
        seed: Seed of split and choice.

    Raises:
        BadInputError: If there is no such source, or it cannot be read.

    Example:
        >>> data = load("digits", train=100, test=20)
        >>> tuple(data.train_images.shape), data.train_labels[:5].tolist()
        ((100, 1, 8, 8), [...])
        >>> load("digit")
        Traceback (most recent call last):
        parasym.core.error.BadInputError: Data `digit` is unknown. Known are digits, mnist5k, ...
    """
    for source in SOURCES:
        if source.name == name:
            return source.load(path, train=train, test=test, seed=seed)
    raise BadInputError(f"Data `{name}` is unknown. Known are {', '.join(source.name for source in SOURCES)}.")
