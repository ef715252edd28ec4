"""What the verbs of this folder return: where models were brought, by what, and how close they came."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from parasym.core import Params
from parasym.symmetry import Element


@dataclass(frozen=True, eq=False)
class Match:
    """One model brought to another. ``symmetry.act(match, b)`` acts with the element that was found.

    Attributes:
        element: What moves ``b``.
        params: ``b`` as moved: computed in double precision, given in its own.
        before: Distance of ``a`` and ``b`` over all weights.
        after: Distance of ``a`` and the moved ``b``.
        converged: Whether all that repeats until nothing gains came to its end; if not, a note says what did not.
        notes: What else one should know.
    """

    element: Element
    params: Params = field(repr=False)
    before: float
    after: float
    converged: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the distances, what moved, and the notes."""
        head = f"Match: distance {self.before:.4g} before, {self.after:.4g} after, {_end(self.converged)}"
        return "\n".join((head, *_moves(self.element), *_noted(self.notes)))


@dataclass(frozen=True, eq=False)
class Canonical:
    """The representative of an orbit. ``symmetry.act(canonical, params)`` acts with the element that leads to it.

    Attributes:
        element: What moves the model to its representative.
        params: The representative: computed in double precision, given in the model's own.
        before: Norm of all weights of the model as it was.
        after: Norm of all weights of the representative.
        converged: Whether balancing came to its end; if not, a note says how far from the gauge the result may be.
        notes: What else one should know.
    """

    element: Element
    params: Params = field(repr=False)
    before: float
    after: float
    converged: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the norms, what moved, and the notes."""
        head = f"Canonical: norm {self.before:.4g} before, {self.after:.4g} after, {_end(self.converged)}"
        return "\n".join((head, *_moves(self.element), *_noted(self.notes)))


@dataclass(frozen=True, eq=False)
class Matches(Sequence[Element]):
    """Several models brought to one place: a sequence of elements, one per model.

    Attributes:
        elements: What moves each model.
        params: The models as moved, each in its own precision.
        before: Root of the summed squared distances to their mean, as the models are.
        after: The same, of the moved models.
        converged: Whether all that repeats until nothing gains came to its end; if not, a note says what did not.
        notes: What else one should know.
    """

    elements: tuple[Element, ...]
    params: tuple[Params, ...] = field(repr=False)
    before: float
    after: float
    converged: bool
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self.elements)

    @overload
    def __getitem__(self, index: int) -> Element: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Element, ...]: ...

    def __getitem__(self, index: int | slice) -> Element | tuple[Element, ...]:
        """Return the element of one model, or of some."""
        return self.elements[index]

    def __iter__(self) -> Iterator[Element]:
        """Return the elements in the order of the models."""
        return iter(self.elements)

    def __str__(self) -> str:
        """Return the spread before and after, and the notes."""
        head = f"{len(self)} models: spread {self.before:.4g} before, {self.after:.4g} after, {_end(self.converged)}"
        return "\n".join((head, *_noted(self.notes)))


@dataclass(frozen=True)
class Pair:
    """How far two of several models are apart.

    Attributes:
        first: Number of the one.
        second: Number of the other.
        before: Their distance as they are.
        after: Their distance when both are moved.
    """

    first: int
    second: int
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Merge:
    """Several models averaged in one place.

    Attributes:
        params: The average, in the precision of the first model.
        elements: What moved each model.
        pairs: The distances of all pairs of models, as they are and as moved.
        converged: Whether all that repeats until nothing gains came to its end; if not, a note says what did not.
        notes: What else one should know: factors that were left out, statistics that were averaged.
    """

    params: Params = field(repr=False)
    elements: tuple[Element, ...]
    pairs: tuple[Pair, ...]
    converged: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the distances of all pairs, and the notes."""
        head = f"Merge of {len(self.elements)} models, {_end(self.converged)}"
        apart = (f"  {p.first} and {p.second}: distance {p.before:.4g} before, {p.after:.4g} after" for p in self.pairs)
        return "\n".join((head, *apart, *_noted(self.notes)))


def _end(converged: bool) -> str:
    return "converged" if converged else "not converged"


def _moves(element: Element) -> list[str]:
    factors = [element.symmetry.factor(k) for k in dict.fromkeys(move.factor for move in element.moves)]
    return [f"  {factor.label} on {factor.wire.name}" for factor in factors] or ["  nothing moves"]


def _noted(notes: tuple[str, ...]) -> list[str]:
    return [f"note: {note}" for note in notes]
