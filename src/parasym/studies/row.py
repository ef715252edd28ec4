"""A row: what one task measured, where and with what, as one line of JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from parasym.core import BadInputError
from parasym.studies.schema import ROW, check, parsed

Record = dict[str, Any]
"""Plain values of one measurement; ``method`` names its group, and ``diverged`` says whether it ended in NaN or infinity."""


UNKNOWN: Record = {"sources": "", "threads": 0}
"""What the first rows did not keep."""


@dataclass(frozen=True)
class Row:
    """What one task measured.

    Attributes:
        id: The SHA-256 of the task.
        study: Name of the study.
        task: The task's fields.
        data: The SHA-256 of the data.
        commit: Of the code, with ``+`` if it had changes; empty outside a checkout.
        versions: Of Python, torch, parasym, and the drawing of frozen entries.
        sources: The SHA-256 of the sources that decide the measurements; empty in rows of before it was kept.
        device: Where it ran.
        threads: Of torch, which decide in what order sums are taken; 0 in rows of before they were kept.
        seed: Of the task.
        seconds: By the clock.
        processor: By the processor, all threads together.
        records: The measurements.
        counts: By method: how many there are and how many diverged.
        sums: By method: sums of every number and of its square over those that did not, so that rows add up.
    """

    id: str
    study: str
    task: dict[str, Any]
    data: str
    commit: str
    versions: dict[str, str]
    sources: str
    device: str
    threads: int
    seed: int
    seconds: float
    processor: float
    records: tuple[Record, ...]
    counts: dict[str, dict[str, int]]
    sums: dict[str, dict[str, float]]

    def to_json(self) -> str:
        """Return the row as one line; numbers that are not finite are written as null."""
        return json.dumps(_finite(asdict(self)), allow_nan=False)


def row_from_json(text: str | bytes) -> Row:
    """Return the row of one line.

    Args:
        text: What :meth:`Row.to_json` wrote, as UTF-8 if bytes.

    Raises:
        BadInputError: If it is something else; the message says what is wrong.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        found = UNKNOWN | parsed(data)
        check(found, ROW)
    except ValueError as error:
        shown = data[:60].decode("utf-8", "backslashreplace")
        raise BadInputError(f"A row must be one line of JSON with the fields of a row, but is {shown!r}: {error}.") from error
    return Row(**{**found, "records": tuple(found["records"])})


def counts_of(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Return how many records there are by method, and how many diverged.

    Args:
        records: The measurements.

    Example:
        >>> counts_of([{"method": "a", "diverged": True}, {"method": "a", "diverged": False, "x": 2.0}])
        {'a': {'n': 2, 'diverged': 1}}
    """
    found: dict[str, dict[str, int]] = {}
    for record in records:
        count = found.setdefault(record["method"], {"n": 0, "diverged": 0})
        count["n"] += 1
        count["diverged"] += bool(record["diverged"])
    return found


def sums_of(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Return sums and sums of squares of every number by method, over the records that did not diverge.

    Args:
        records: The measurements.

    Example:
        >>> sums_of([{"method": "a", "diverged": False, "x": 2.0}, {"method": "a", "diverged": False, "x": 3.0}])
        {'a': {'x': 5.0, 'x^2': 13.0}}
    """
    found: dict[str, dict[str, float]] = {}
    for record in records:
        if record["diverged"]:
            continue
        sums = found.setdefault(record["method"], {})
        for name, value in record.items():
            if isinstance(value, float):
                sums[name] = sums.get(name, 0.0) + value
                sums[f"{name}^2"] = sums.get(f"{name}^2", 0.0) + value**2
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
