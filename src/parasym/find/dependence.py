"""Which wires may take a different element in every slice of which other wires."""

from collections.abc import Collection

from parasym.find.axis import Leaf
from parasym.find.ground import Ground, Step
from parasym.find.terms import Term
from parasym.rules.program import Kind, Normalize, Permute, Reshape, Rotary, Value

Deps = dict[Leaf, set[Leaf]]


def dependences(ground: Ground, mixed: set[Leaf], borne: Collection[Leaf], acting: set[Leaf]) -> Deps:
    """Return for every wire the outer wires in whose slices it may take different elements.

    Wire ``w`` may depend on wire ``b`` if every tensor that bears ``w`` bears ``b`` exactly once, and every
    operation that touches ``w`` treats ``b`` as an aligned batch.

    Args:
        ground: Types and places.
        mixed: Wires that are mixed linearly; nothing may depend on those.
        borne: Wires that parameters or buffers bear; the others are left out.
        acting: Wires on which something acts: only of those it is asked.
    """
    run = _Dependences(ground, borne, acting)
    values = ground.types.program.values
    for value in values:  # parameters settle most wires
        if value.leaf:
            run.tensor(value)
    if any(run.deps.values()):
        for value in values:
            if not value.leaf:
                run.tensor(value)
        for step in ground.steps:
            code = step.code
            if step.template.lettered and not isinstance(code, (Permute, Reshape, Rotary)):
                run.instruction(step, code.dims if isinstance(code, Normalize) else ())
    for bases in run.deps.values():
        bases -= mixed
    return _acyclic(run.deps)


class _Dependences:
    """The dependences so far; once nothing is left for a wire, it is not looked at again."""

    def __init__(self, ground: Ground, borne: Collection[Leaf], acting: set[Leaf]) -> None:
        self.deps: Deps = {}
        self._ground = ground
        self._borne = borne
        self._acting = acting

    def tensor(self, value: Value) -> None:
        """Keep the bases that a tensor bears once wherever it bears a wire."""
        rows = self._ground.terms(value)
        if self._live(rows):
            for axis, terms in enumerate(rows):
                for t, term in enumerate(terms):
                    self._restrict(term, bases_of(self._ground, value, axis, t, self._borne))

    def instruction(self, step: Step, joint: tuple[int, ...]) -> None:
        """Keep the bases that an instruction treats as an aligned batch; ``joint`` letters it takes statistics over."""
        terms: dict[int, tuple[Term, ...]] = {}
        bearing: dict[int, set[int]] = {}
        for k, (value, letters) in enumerate(zip((*step.xs, step.out), step.template.letters, strict=True)):
            assert value is not None
            for row, letter in zip(self._ground.terms(value), letters, strict=True):
                if letter is not None:
                    terms.setdefault(letter, row)
                    bearing.setdefault(letter, set()).add(k)
        for letter, row in terms.items():
            if not self._live((row,)):
                continue
            others = (c for c in terms if c != letter and c not in joint and bearing[letter] <= bearing[c])
            outer = {leaf for other in others for leaf in _always(terms[other], self._borne)}
            for term in row:
                self._restrict(term, outer | set(term.wires))

    def _live(self, rows: tuple[tuple[Term, ...], ...]) -> bool:
        """Whether there is a wire of which something is still to be found out."""
        deps, acting = self.deps, self._acting
        for terms in rows:
            for term in terms:
                for wire in term.wires:
                    if wire in acting and deps.get(wire, True):
                        return True
        return False

    def _restrict(self, term: Term, allowed: set[Leaf]) -> None:
        for wire in term.wires:
            if wire in self._acting:
                self.deps[wire] = (self.deps[wire] & allowed if wire in self.deps else set(allowed)) - {wire}


def bases_of(ground: Ground, value: Value, axis: int, t: int, borne: Collection[Leaf]) -> set[Leaf]:
    """Return the wires that a value bears once wherever it bears a term; in activations the operations decide how often.

    Args:
        ground: Types and structures.
        value: The value.
        axis: One of its axes.
        t: Number of a term of that axis.
        borne: The wires to look for.
    """
    rows = ground.terms(value)
    found = [wire for wire in rows[axis][t].wires if wire in borne]
    for other, terms in enumerate(rows):
        if other != axis:
            found += _always(terms, borne)
    once = set(found)
    if len(once) < len(found) and value.kind is not Kind.ACTIVATION:
        return {wire for wire in once if found.count(wire) == 1}
    return once


def _always(terms: tuple[Term, ...], borne: Collection[Leaf]) -> set[Leaf]:
    """Return the wires that every term of an axis bears."""
    if not terms:
        return set()  # an axis of length zero
    first = {wire for wire in terms[0].wires if wire in borne}
    return first.intersection(*[term.wires for term in terms[1:]]) if len(terms) > 1 else first


def _acyclic(deps: Deps) -> Deps:
    """Drop dependences that run both ways, keeping the one on the wire met first."""
    order = {wire: k for k, wire in enumerate(deps)}
    for wire, bases in deps.items():
        bases -= {b for b in bases if wire in deps.get(b, set()) and order[b] > order[wire]}
    return deps
