"""What was broken, what was left and why, and what it costs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import nn

from parasym.breaking.count import trainable_count
from parasym.breaking.freeze import frozen_tensors
from parasym.symmetry import Symmetry

_SHOWN = 20
_NAMES = 6


@dataclass(frozen=True)
class Broken:
    """A tensor with frozen entries, or an activation that mixes channels.

    Attributes:
        name: Name of the tensor, or path of the activation.
        what: What was done to it.
        frozen: Number of its entries that are constants.
    """

    name: str
    what: str
    frozen: int = 0


@dataclass(frozen=True)
class Left:
    """What was left as it was.

    Attributes:
        names: Names of tensors, or a factor and the tensors that it moves.
        reason: Why.
    """

    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class BreakReport:
    """What `break_` did.

    Attributes:
        method: The method, in words.
        broken: What it changed.
        left: What it left as it was, and why.
        symmetry: What `find` sees in the result, with all that is not trained for constants; ``None`` where there were no
            inputs to look with.
        parameters: Entries of all parameters of the model.
        trained: Those that are still trained.
        memory: Bytes that places and constants take.
        seconds: How long it took.
    """

    method: str
    broken: tuple[Broken, ...]
    left: tuple[Left, ...]
    symmetry: Symmetry | None = None
    parameters: int = 0
    trained: int = 0
    memory: int = 0
    seconds: float = 0.0

    @property
    def frozen(self) -> int:
        """Number of entries that are constants."""
        return sum(one.frozen for one in self.broken)

    @property
    def share(self) -> float:
        """The part of the parameters that is still trained."""
        return self.trained / max(1, self.parameters)

    def of(self, model: nn.Module, before: int, *, seconds: float) -> "BreakReport":
        """Return the report with the counts of a model.

        Args:
            model: The broken model.
            before: Entries that were trained before.
            seconds: How long it took.
        """
        entries = {id(e): e for _, _, _, e in frozen_tensors(model)}.values()
        memory = sum(x.numel() * x.element_size() for e in entries for x in (e.places, e.constants))
        return replace(self, parameters=before, trained=trainable_count(model), memory=memory, seconds=seconds)

    def __str__(self) -> str:
        """Return the report as text."""
        lines = [
            f"{self.method}: {len(self.broken)} broken, {self.trained} of {self.parameters} parameters are trained "
            f"({100 * self.share:.1f} %), {self.frozen} entries are constants; {_bytes(self.memory)} more, {self.seconds:.2g} s"
        ]
        width = max((len(one.name) for one in self.broken[:_SHOWN]), default=0)
        lines += _cut([f"  {one.name.ljust(width)}  {one.what}" for one in self.broken])
        if self.left:
            lines.append("left as they are:")
            lines += _cut([f"  {_some(one.names)}: {one.reason}" for one in self.left])
        lines.append(
            "what is left of the symmetry: not known without inputs" if self.symmetry is None else _remaining(self.symmetry)
        )
        return "\n".join(lines)


def broken_tensors(model: nn.Module) -> tuple[Broken, ...]:
    """Return the tensors of a model that have frozen entries, each under its first name.

    Args:
        model: A broken model.
    """
    first: dict[int, Broken] = {}
    for name, _, _, entries in frozen_tensors(model):
        what = f"{entries.count} of {entries.shape.numel()} entries"
        if entries.places.ndim == 2:
            what = f"{entries.places.shape[1]} of {entries.shape[1:].numel()} entries in each of {entries.shape[0]} rows"
        first.setdefault(id(entries), Broken(name, what, entries.count))
    return tuple(first.values())


def _remaining(symmetry: Symmetry) -> str:
    """Return what is left on a line: its factors are among what was left."""
    flat = "" if symmetry.flat is None else f"flat directions left: {symmetry.flat}"
    if not symmetry.factors:
        return f"what is left of the symmetry: no factor{flat and '; ' + flat}"
    head = str(symmetry).partition("\n")[0].partition(": ")[2]
    count = len(symmetry.factors)
    return f"what is left of the symmetry: {count} factor{'s' * (count > 1)}, {head}{flat and '; ' + flat}"


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _SHOWN else [*lines[: _SHOWN - 1], f"  and {len(lines) - _SHOWN + 1} more"]


def _some(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:_NAMES]) + (f" and {len(every) - _NAMES} more" if len(every) > _NAMES else "")


def _bytes(n: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}" if unit != "bytes" else f"{n} bytes"
        n = n / 1000  # pyright: ignore[reportAssignmentType]
    return f"{n:.3g} GB"
