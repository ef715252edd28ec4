"""What a task is, and the id that everything that matters about it gives."""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AbstractTask(ABC):
    """One piece of work of a study; every field matters for its result."""

    @property
    @abstractmethod
    def seed(self) -> int:
        """The seed that everything random in the task comes from."""

    @property
    @abstractmethod
    def data_key(self) -> tuple[str, int | None, int | None] | None:
        """The source of its data, and how many train and test examples; ``None`` if it needs none."""


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN.

    Args:
        value: Plain values.

    Example:
        >>> canonical({"b": 1, "a": [0.1, None]})
        '{"a":[0.1,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def task_id(study: str, version: int, task: AbstractTask) -> str:
    """Return the SHA-256 of the canonical JSON of study, version and every field of the task.

    Args:
        study: Name of the study.
        version: Of its procedure; it goes up when the same task would give other numbers.
        task: The task.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(canonical({"study": study, "version": version, "task": asdict(task)}).encode()).hexdigest()
