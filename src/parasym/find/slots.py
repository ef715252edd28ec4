"""Slots of terms: where a product of wires sits on an axis of a tensor."""

from parasym.find.terms import Term
from parasym.symmetry import Slot


def slot_of(axis: int, term: Term, place: int, second_start: int | None = None) -> Slot:
    """Return the slot of a wire of a term.

    Args:
        axis: The axis.
        term: The product of wires.
        place: Which of its wires; -1 for all.
        second_start: Where the imaginary parts start, for planes.
    """
    starts = (term.start,) if second_start is None else (term.start, second_start)
    return Slot(axis, starts, tuple(w.size for w in term.wires), term.strides, place)
