"""What came of trying a symmetry on numbers as soon as it was found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refuted:
    """A factor that was found and did not hold: a bug in parasym. It is not among the factors.

    Attributes:
        group: Its group, as :attr:`Factor.label` writes it.
        wire: Its wire.
        tensors: What it would have moved.
        error: By how much the outputs changed, relative to the largest.
    """

    group: str
    wire: str
    tensors: tuple[str, ...]
    error: float

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"refuted: {self.group} on {self.wire} ({', '.join(self.tensors[:4])}) changes the outputs by {self.error:.1e} "
            "and was left out; this is a bug in parasym, please report it"
        )


@dataclass(frozen=True)
class SelfCheck:
    """Whether one element of all factors together left the outputs as they were.

    Attributes:
        error: By how much they changed, relative to the largest; ``None`` if it was not tried.
        reason: Why not, or what else there is to know.
    """

    error: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        """Return one line."""
        if self.error is None:
            return f"not checked: {self.reason}"
        more = f"; {self.reason}" if self.reason else ""
        return f"checked: one element of all factors changes the outputs by {self.error:.1e} (float64){more}"
