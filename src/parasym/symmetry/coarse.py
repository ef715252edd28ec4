"""What was pinned only because no rule knows any better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Coarse:
    """A pin that shapes do not force: a rule knows that much of an operation and no more, so that a group may be missing.

    What it costs are the parameters that bear a wire which is held by such pins alone. That is an upper bound: a finer rule
    may find that the operation lets nothing more through.

    Attributes:
        operation: Name of the operation, such as ``aten.gather.default``.
        module: Path of the module that called it.
        source: Source line that called it, as ``file:line``.
        reason: What was pinned and why.
        tensors: The parameters that it may cost a group.
        entries: How many numbers those hold.
    """

    operation: str
    module: str = ""
    source: str = ""
    reason: str = ""
    tensors: tuple[str, ...] = ()
    entries: int = 0

    def __str__(self) -> str:
        """Return one line."""
        at = f" ({self.source})" if self.source else ""
        more = f" and {len(self.tensors) - 4} more" if len(self.tensors) > 4 else ""
        return (
            f"coarse: {self.operation} in {self.module or 'the model'}{at}: {self.reason}; may cost {len(self.tensors)} "
            f"parameter{'s' * (len(self.tensors) != 1)} of {self.entries} numbers a group: {', '.join(self.tensors[:4])}{more}"
        )
