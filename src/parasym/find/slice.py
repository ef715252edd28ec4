"""Scales and signs that may differ from slice to slice of another wire, although the wire's permutations may not.

A gain that all heads share keeps the channels of one head from being exchanged alone. A sign that leaves the gain alone
does not care: it may differ from head to head. What counts for a scale or a sign is only what it moves.
"""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from parasym.find.axis import Leaf
from parasym.find.dependence import bases_of
from parasym.find.exponent import Pattern, Slot
from parasym.find.ground import Ground, Step
from parasym.find.system import LinearSystem
from parasym.rules.program import Normalize, Permute, Reshape, Rotary

Sliced = list[tuple[Pattern, Leaf | None]]


def sliced(ground: Ground, patterns: list[Pattern], candidates: dict[Leaf, set[Slot]], moved: "Moved") -> Sliced:
    """Return a basis of the same patterns, each with a wire in whose slices it may differ, if there is one.

    Args:
        ground: Types and structures.
        patterns: Independent scales or signs of one wire.
        candidates: Wires that may be such a base, with the places of the wire that come with them.
        moved: Tells which places a pattern moves.
    """
    out: Sliced = []
    for base, inside in candidates.items():
        within, rest = _split(patterns, inside, moved.system.modulus)
        free = [_aligned(ground, moved.places(pattern), base) for pattern in within]
        if any(free):
            out += [(pattern, base) for pattern, ok in zip(within, free, strict=True) if ok]
            patterns = [*rest, *(pattern for pattern, ok in zip(within, free, strict=True) if not ok)]
    return [*out, *((pattern, None) for pattern in patterns)]


class Moved:
    """What patterns of a wire move in all values, not only in parameters.

    Args:
        system: The exponents.
        numbers: For every place of the wire in any value its exponent.
        patterns: A basis as the system gives it; other patterns are sums of these.
    """

    def __init__(self, system: LinearSystem, numbers: dict[Slot, int], patterns: list[Pattern]) -> None:
        self.system = system
        self._numbers = numbers
        keys = {place for pattern in patterns for place in pattern}
        values = {place: system.value(numbers[place]) for place in keys}
        self._free = {next(iter(value)): place for place, value in values.items() if list(value.values()) == [1]}

    def places(self, pattern: Pattern) -> set[Slot]:
        """Return the places of all values whose exponent under a pattern is not zero."""
        factors = {base: pattern.get(place, 0) for base, place in self._free.items()}
        out = set()
        for place, number in self._numbers.items():
            total = sum(c * factors.get(base, 0) for base, c in self.system.value(number).items())
            if total % 2 if self.system.modulus else total:
                out.add(place)
        return out


def candidate_bases(
    ground: Ground, patterns: list[Pattern], places: list[Slot], bases: dict[Leaf, None]
) -> dict[Leaf, set[Slot]]:
    """Return the wires that some places of a wire come with, and which those are, if a pattern may lie within them.

    Every pattern of a basis has places of its own. If each has one outside, no sum of patterns lies inside.

    Args:
        ground: Types and structures.
        patterns: Independent scales or signs of one wire.
        places: The places of the wire in parameters and buffers.
        bases: Wires to look for, in order.
    """
    values = ground.types.program.values

    def with_place(place: Slot) -> set[Leaf]:
        index, axis, t, _ = place
        value = values[index]
        if len(value.shape) == 1 and len(ground.term(value, axis, t).wires) == 1:
            return set()
        return bases_of(ground, value, axis, t, bases)

    counts = Counter(place for pattern in patterns for place in pattern)
    found: dict[Leaf, None] = {}  # a set in the order of the places
    for pattern in patterns:
        own = [place for place in pattern if counts[place] == 1] or list(pattern)
        common = with_place(min(own, key=lambda place: len(values[place[0]].shape)))
        for place in own:
            if not common:
                break
            common &= with_place(place)
        if common:
            found |= dict.fromkeys(base for base in bases if base in common)
    return {base: {place for place in places if base in with_place(place)} for base in found}


def _split(patterns: list[Pattern], inside: set[Slot], modulus: int) -> tuple[list[Pattern], list[Pattern]]:
    """Return a basis of what moves places inside only, and what completes it."""
    rows = [dict(pattern) for pattern in patterns]
    done: list[Pattern] = []
    for place in dict.fromkeys(p for pattern in patterns for p in pattern if p not in inside):
        pivot = next((row for row in rows if row.get(place)), None)
        if pivot is None:
            continue
        rows = [row if row is not pivot else {} for row in rows]
        rows = [_minus(row, pivot, row[place], pivot[place], modulus) if row.get(place) else row for row in rows]
        rows = [row for row in rows if row]
        done.append(pivot)
    return rows, done


def _minus(row: Pattern, pivot: Pattern, a: int | Fraction, b: int | Fraction, modulus: int) -> Pattern:
    out = dict(row)
    for place, c in pivot.items():
        value = out.get(place, 0) - (c if modulus else Fraction(a) / Fraction(b) * c)
        out[place] = value % modulus if modulus else value
    return {place: c for place, c in out.items() if c}


def _aligned(ground: Ground, moved: set[Slot], base: Leaf) -> bool:
    """Return whether everything that is moved bears the base, and every instruction treats it as an aligned batch."""
    values = ground.types.program.values
    for index, axis, t, _ in moved:
        if base not in bases_of(ground, values[index], axis, t, {base}):
            return False
    indices = {place[0] for place in moved}
    steps = (step for step in ground.steps if any(v is not None and v.index in indices for v in (*step.xs, step.out)))
    return all(_keeps(ground, step, moved, base) for step in steps)


def _keeps(ground: Ground, step: Step, moved: set[Slot], base: Leaf) -> bool:
    if not step.template.lettered or isinstance(step.code, (Permute, Reshape, Rotary)):
        return True
    joint = step.code.dims if isinstance(step.code, Normalize) else ()
    bearing = step.template.bearing
    for letter, touched, t in _touched(ground, step, moved):
        axis = next(a for n, a in enumerate(bearing[letter]) if n in touched and a is not None)
        value = (*step.xs, step.out)[min(touched)]
        assert value is not None
        if base in ground.term(value, axis, t).wires:
            continue
        others = (c for c, axes in bearing.items() if c != letter and c not in joint and _bear(axes, touched))
        if not any(_always(ground, step, bearing[c], base) for c in others):
            return False
    return True


def _touched(ground: Ground, step: Step, moved: set[Slot]) -> Iterator[tuple[int, set[int], int]]:
    """Yield every letter and term that an instruction moves, with the operands in which it does, the output last."""
    values = (*step.xs, step.out)
    for letter, axes in step.template.bearing.items():
        found: dict[int, set[int]] = {}
        for n, axis in enumerate(axes):
            value = values[n]
            if axis is not None and value is not None:
                for t, term in enumerate(ground.terms(value)[axis]):
                    if any((value.index, axis, t, k) in moved for k in range(len(term.wires))):
                        found.setdefault(t, set()).add(n)
        for t, touched in found.items():
            yield letter, touched, t


def _bear(axes: list[int | None], touched: set[int]) -> bool:
    return all(axes[n] is not None for n in touched)


def _always(ground: Ground, step: Step, axes: list[int | None], base: Leaf) -> bool:
    """Whether every term under a letter bears the base."""
    n = next(n for n, axis in enumerate(axes) if axis is not None)
    value, axis = (*step.xs, step.out)[n], axes[n]
    assert value is not None
    assert axis is not None
    return all(base in term.wires for term in ground.terms(value)[axis])
