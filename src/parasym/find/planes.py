"""Planes that rotary embeddings turn: which of them may be turned and scaled as a whole.

A rotary embedding multiplies the complex numbers ``re + i im`` of an axis by numbers that differ from position to position.
What commutes with it is one complex number per plane, acting on real and imaginary parts together. So the two must stay
together: real parts that are read alone, or meet the imaginary parts of the same planes, keep only scale and sign.
Real and imaginary parts bear one wire and a mark each (:class:`parasym.find.axis.Mark`), and the marks tell.
"""

from collections.abc import Iterable

from parasym.find.axis import Axis, Leaf, Mark, resolve
from parasym.find.terms import Term, leaves
from parasym.rules.program import Kind, Value

Marks = tuple[Mark, Mark]
Plane = tuple[Axis, Axis, Axis]
"""The marks of real and imaginary parts, and the axis of planes, as they were when the instruction was typed."""


def turning(planes: list[Plane], values: Iterable[tuple[Value, tuple[tuple[Term, ...], ...]]]) -> dict[Leaf, Marks]:
    """Return the wires of planes that are whole wherever they appear, with the marks of their two parts.

    Args:
        planes: What the rotary embeddings of a program turn.
        values: The values of the program, each with the terms of its axes.
    """
    found: dict[Leaf, Marks | None] = {}
    partner: dict[Mark, tuple[Mark, int]] = {}
    for first, second, axis in planes:
        pair = resolve(first), resolve(second)
        marks = _pair(pair, partner)
        for wire in leaves(axis):
            found[wire] = marks if found.get(wire, marks) == marks else None
    kept = {wire: marks for wire, marks in found.items() if marks is not None and _oriented(marks, partner)}
    for value, rows in values if kept else ():
        if value.kind is not Kind.CONSTANT:
            for wire in {w for terms in rows for term in terms for w in term.wires if w in kept}:
                if not all(_whole(rows, axis, wire, kept[wire]) for axis in range(len(rows))):
                    del kept[wire]
    return kept


def _pair(pair: tuple[Axis, Axis], partner: dict[Mark, tuple[Mark, int]]) -> Marks | None:
    """Return two marks, and note which is which; ``None`` if they are no longer two."""
    first, second = pair
    if not isinstance(first, Mark) or not isinstance(second, Mark) or first is second:
        return None
    for mark, entry in ((first, (second, 0)), (second, (first, 1))):
        if partner.setdefault(mark, entry) != entry:  # real parts here, imaginary ones there
            partner[mark] = (mark, -1)
    return first, second


def _oriented(marks: Marks, partner: dict[Mark, tuple[Mark, int]]) -> bool:
    return all(partner[mark][1] >= 0 for mark in marks)


def _whole(rows: tuple[tuple[Term, ...], ...], axis: int, wire: Leaf, marks: Marks) -> bool:
    """Whether the parts of planes come in pairs on an axis, or another axis holds the two parts."""
    terms = rows[axis]
    if not any(wire in term.wires for term in terms):
        return True
    return plane_terms(terms, wire, marks) is not None or any(
        len(other) == 2 and {term.marks for term in other} == {(mark,) for mark in marks} and not any(t.wires for t in other)
        for k, other in enumerate(rows)
        if k != axis
    )


def plane_terms(terms: tuple[Term, ...], wire: Leaf, marks: Marks) -> list[tuple[int, int]] | None:
    """Return the numbers of the terms of real and imaginary parts that belong together, ``None`` if some have no partner.

    Args:
        terms: The terms of an axis.
        wire: The wire of the planes.
        marks: Those of real and imaginary parts.
    """
    bearing = [k for k, term in enumerate(terms) if wire in term.wires]
    pairs = []
    for k, m in zip(bearing[::2], bearing[1::2], strict=len(bearing) % 2 == 0):
        one, two = terms[k], terms[m]
        if one.wires != two.wires or one.strides != two.strides:
            return None
        if marks[0] in one.marks and marks[1] in two.marks:
            pairs.append((k, m))
        elif marks[1] in one.marks and marks[0] in two.marks:
            pairs.append((m, k))
        else:
            return None
    return pairs if 2 * len(pairs) == len(bearing) else None
