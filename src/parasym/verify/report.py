"""What `verify` says: a verdict, the errors behind it, and how much of the truth was found."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from parasym.core import SymmetryError, Tolerance, Verdict
from parasym.symmetry import Uncovered


def verdict(error: float, tolerance: Tolerance) -> Verdict:
    """Return "yes" below the tolerance, "no" above its upper bound, "unsure" between and for NaN.

    Args:
        error: A relative error.
        tolerance: The two bounds.
    """
    if error <= tolerance.holds:
        return "yes"
    return "no" if error > tolerance.fails else "unsure"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return "no" if any is, else "unsure" if any is, else "yes".

    Args:
        verdicts: Any number of them.
    """
    return "no" if "no" in verdicts else "unsure" if "unsure" in verdicts else "yes"


@dataclass(frozen=True)
class Row:
    """One factor's share of the proof.

    Attributes:
        factor: Index in ``symmetry.factors``; ``None`` for all of them together.
        name: Its group and wire.
        error: Largest relative change of an output.
        moved: Largest relative change of a parameter tensor.
        holds: The verdict.
        reason: Why the verdict is not "yes", or is although the error is larger than the tolerance.
    """

    factor: int | None
    name: str
    error: float
    moved: float
    holds: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Rest:
    """Null directions that the symmetry does not explain, of one kind.

    Attributes:
        kind: One of "unused parameter", "dead unit", "frozen entry", "unreachable input directions",
            "unexplained".
        dimension: How many directions.
        tensors: The parameters that bear them, heaviest first.
    """

    kind: str
    dimension: int
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Completeness:
    """How many of the directions in which the function does not change belong to the symmetry.

    Attributes:
        parameters: Number of parameters ``P``, with the buffers that the symmetry moves.
        rank: Rank of the Jacobian of the outputs over generic inputs.
        explained: Number of null directions tangent to the orbit.
        gap: Ratio of the singular values on either side of the rank.
        spectrum: Those two singular values, relative to the largest.
        residual: Largest ``|J v| / (|J| |v|)`` over the generators ``v``; zero for a true symmetry.
        inputs: Number of batches of inputs that were drawn.
        trustworthy: Whether the gap is clear and the rank had stopped growing.
        rest: The null directions that are left, by kind.
    """

    parameters: int
    rank: int
    explained: int
    gap: float
    spectrum: tuple[float, float]
    residual: float
    inputs: int
    trustworthy: bool
    rest: tuple[Rest, ...] = ()

    @property
    def nullity(self) -> int:
        """Number of independent directions in which the function does not change."""
        return self.parameters - self.rank

    @property
    def complete(self) -> Verdict:
        """Whether every continuous direction is explained."""
        return "unsure" if not self.trustworthy else "yes" if self.explained == self.nullity else "no"

    def __str__(self) -> str:
        """Return one line, and one more for every kind of rest."""
        trust = "" if self.trustworthy else " (not trustworthy)"
        lines = [
            f"complete: {self.complete}; {self.explained} of {self.nullity} null directions explained "
            f"(P={self.parameters}, rank {self.rank}, gap 10^{math.log10(self.gap):.1f}{trust}, "
            f"generators to {self.residual:.1e})"
        ]
        lines += [f"  rest: {r.dimension} {r.kind}: {', '.join(r.tensors)}" for r in self.rest]
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """The result of :func:`parasym.verify`.

    Attributes:
        holds: Whether the symmetry leaves the function unchanged.
        error: Largest relative error over samples and factors.
        tolerance: Below ``tolerance.holds`` is "yes", above ``tolerance.fails`` is "no".
        samples: Number of points (parameters and inputs) at which elements were tried.
        dtype: Precision of the proof, as ``float64``.
        rows: All factors together, then each on its own.
        completeness: What the Jacobian says, or ``None`` if it was not computed.
        uncovered: Operations about which the symmetry says nothing.
        notes: What else there is to know.
        law: What draws random numbers in the model; if anything does, the claim is that outputs have the same law.
        as_written: By how much the outputs change in 16 bits, if the model computes in those; the proof is of exact arithmetic.
    """

    holds: Verdict
    error: float
    tolerance: Tolerance
    samples: int
    dtype: str
    rows: tuple[Row, ...]
    completeness: Completeness | None = None
    uncovered: tuple[Uncovered, ...] = ()
    notes: tuple[str, ...] = ()
    law: tuple[str, ...] = ()
    as_written: float | None = None

    def __str__(self) -> str:
        """Return the report as text."""
        lines = [
            f"holds: {self.holds}{', in law' if self.law else ''}; relative error {self.error:.1e} "
            f"(yes below {self.tolerance.holds:.0e}, "
            f"no above {self.tolerance.fails:.0e}), {self.samples} samples, {self.dtype}"
        ]
        width = max((len(row.name) for row in self.rows), default=0)
        lines += [
            f"  {row.name.ljust(width)}  {row.holds:<6}  error {row.error:.1e}  moved {row.moved:.1e}"
            + (f"  {row.reason}" if row.reason else "")
            for row in self.rows
        ]
        lines += [str(self.completeness)] if self.completeness else []
        lines += [f"uncovered: {u.operation} in {u.module or 'the model'} ({u.source}): {u.reason}" for u in self.uncovered]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the report as JSON; errors that are not finite become strings."""
        data = asdict(self)
        if self.completeness is not None:
            data["completeness"] |= {"nullity": self.completeness.nullity, "complete": self.completeness.complete}
        return json.dumps(_finite(data), indent=2)

    def raise_if_fails(self) -> None:
        """Do nothing if the symmetry holds.

        Raises:
            SymmetryError: If the verdict is "no" or "unsure"; the message is the report.
        """
        if self.holds != "yes":
            what = "does not hold" if self.holds == "no" else "could not be proved"
            raise SymmetryError(f"The symmetry {what}.\n{self}")


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
