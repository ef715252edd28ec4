"""From types, levels and exponents to factors with their bindings."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import product as cartesian

from parasym.find.axis import Leaf
from parasym.find.blocks import joined_slot, joined_wires
from parasym.find.color import cells
from parasym.find.dependence import Deps, dependences
from parasym.find.exponent import Exponents, Pattern
from parasym.find.exponent import Slot as Where
from parasym.find.ground import Ground
from parasym.find.level import channelwise_wires, mixable_wires
from parasym.find.planes import plane_terms
from parasym.find.redundancy import Span
from parasym.find.slice import Moved, Sliced, candidate_bases, sliced
from parasym.find.slots import slot_of
from parasym.find.structure import Cell, TooManyCells
from parasym.find.terms import Term
from parasym.groups import AbstractGroup, GeneralLinear, Orthogonal, Permutation, PlaneRotation, PositiveScaling, SignFlip
from parasym.rules.program import Kind, Value, operands
from parasym.symmetry import Binding, Factor, Slot, Wire

_COST = {"parameter": 1.0, "buffer": 1.5, "variance": 8.0}


@dataclass
class Assembly:
    """Everything that is known about the wires of a program, and the factors made of it.

    Args:
        ground: Types and places.
    """

    ground: Ground

    def __post_init__(self) -> None:
        types = self.ground.types
        self.channelwise = channelwise_wires(self.ground)
        self.mixed = mixable_wires(self.ground, self.channelwise)
        self.cells = cells(types)
        self.exponents = Exponents(self.ground)
        used = {x.index for step in types.program.code for x in operands(step)}
        used |= types.program.loops | {v.index for v in types.program.outputs}
        self.leaves = [v for v in types.program.values if v.leaf and v.index in used]
        self.where = self._where()
        self.patterns: dict[Leaf, tuple[list[Pattern], list[Pattern]]] = {}
        for wire, places in self.where.items():
            scales, signs = self.exponents.of_wire(places)
            self.patterns[wire] = self._sparse(scales), signs
        acting = {wire for wire, patterns in self.patterns.items() if wire not in types.pinned or any(patterns)}
        mixed = self.mixed | (types.planes - self.channelwise)
        self.deps: Deps = dependences(self.ground, mixed, self.where.keys(), acting)
        free = {wire for wire in self.where if wire not in mixed and not self.deps.get(wire)}
        classes = {first: [w for w in wires if w in free] for first, wires in joined_wires(self.ground).items()}
        self.joined = {first: wires for first, wires in classes.items() if first in free and len(wires) > 1}
        """Wires whose channels change places with those of others, by the first of them."""
        self.joining = {wire: first for first, wires in self.joined.items() for wire in wires}
        self.bases = dict.fromkeys(wire for wire in self.where if wire not in mixed)
        self.order = {wire: k for k, wire in enumerate(self.where)}
        self._slots: dict[tuple[int, int, int], Slot] = {}
        self.names = {wire: self._name(wire) for wire in self.where}
        self.positions = {wire: k for k, wire in reversed(list(enumerate(self.names.values())))}

    def _where(self) -> dict[Leaf, list[Where]]:
        out: dict[Leaf, list[Where]] = {}
        for value in self.leaves:
            for axis, terms in enumerate(self.ground.terms(value)):
                for t, term in enumerate(terms):
                    for k, wire in enumerate(term.wires):
                        if wire.size:
                            out.setdefault(wire, []).append((value.index, axis, t, k))
        return out

    def _name(self, wire: Leaf) -> Wire:
        index, axis, t, k = self.where[wire][0]
        value = self._value(index)
        terms = self.ground.terms(value)[axis]
        label = f"{value.name}[{axis}]"
        if len(terms) > 1:
            label += f"[{terms[t].start}:]"
        if len(terms[t].wires) > 1:
            label += f".{k}"
        return Wire(label, wire.size)

    def _value(self, index: int) -> Value:
        return self.ground.types.program.values[index]

    # -- factors ----------------------------------------------------------------------------------

    def linear_factors(self) -> tuple[list[Factor], list[Factor]]:
        """Return the continuous and the discrete factors that act linearly on wires."""
        continuous: list[Factor] = []
        discrete: list[Factor] = []
        spans = (Span(self.ground, 0), Span(self.ground, 2))
        slices = {wire: self._sliced(wire) for wire in self.where}
        # A wire that is free in more slices says more: what it says of all slices at once others need not repeat.
        depth = {w: (len(self.deps.get(w, ())), any(b for part in slices[w] for _, b in part)) for w in self.where}
        for wire in sorted(self.where, key=depth.__getitem__, reverse=True):
            c, d = self._wire_factors(wire, spans, slices[wire])
            continuous += c
            discrete += d
        continuous.sort(key=self._position)
        discrete.sort(key=self._position)
        keys: list[tuple[int, Cell]] = []
        for value in self.leaves:
            try:
                keys += [(value.index, cell) for cell in self.ground.cells(value)]
            except TooManyCells:
                continue
        scales, signs = self.exponents.of_cells(keys)
        continuous += self._whole_factors(scales, spans[0], PositiveScaling(1))
        discrete += self._whole_factors(signs, spans[1], SignFlip(1))
        return continuous, discrete

    def _position(self, factor: Factor) -> int:
        return self.positions[factor.wire]

    @cached_property
    def _everywhere(self) -> dict[Leaf, list[Where]]:
        """The places of every wire in all values."""
        out: dict[Leaf, list[Where]] = {}
        for value in self.ground.types.program.values:
            for axis, terms in enumerate(self.ground.terms(value)):
                for t, term in enumerate(terms):
                    for k, wire in enumerate(term.wires):
                        out.setdefault(wire, []).append((value.index, axis, t, k))
        return out

    def _sliced(self, wire: Leaf) -> tuple[Sliced, Sliced]:
        """Return the scales and the signs of a wire, with further wires in whose slices they may differ."""
        known = self.deps.get(wire, set()) | {wire}
        out: list[Sliced] = []
        for patterns, system in zip(self.patterns[wire], (self.exponents.scales, self.exponents.signs), strict=True):
            mixing = wire in self.mixed or wire in self.ground.types.planes
            candidates = {} if mixing or not patterns else candidate_bases(self.ground, patterns, self.where[wire], self.bases)
            candidates = {b: at for b, at in candidates.items() if b not in known and wire not in self.deps.get(b, ())}
            if candidates:
                moved = Moved(system, self.exponents.numbers(self._everywhere[wire]), patterns)
                out.append(sliced(self.ground, patterns, candidates, moved))
            else:
                out.append([(pattern, None) for pattern in patterns])
        return out[0], out[1]

    def _wire_factors(
        self, wire: Leaf, spans: tuple[Span, Span], slices: tuple[Sliced, Sliced]
    ) -> tuple[list[Factor], list[Factor]]:
        types = self.ground.types
        patterns = self.patterns[wire][0]
        everywhere: Pattern = dict.fromkeys(self.where[wire], 1)
        pinned = wire in types.pinned
        if wire in types.turning and wire not in self.channelwise and not pinned:
            return self._planes(wire, patterns, spans), []
        if wire in self.mixed:
            return self._mixing(wire, patterns, everywhere, spans), []
        discrete: list[Factor] = []
        classes = self.cells.get(wire, (tuple(range(wire.size)),))
        if wire in self.joining:
            discrete += [self._joined(wire)] if wire in self.joined else []
        elif not pinned and wire not in types.planes and classes is not None and any(len(c) > 1 for c in classes):
            group = Permutation(wire.size, classes if len(classes) > 1 else ())
            discrete.append(self._factor(group, wire, everywhere))
        scales, signs = slices
        discrete += [self._factor(SignFlip(wire.size), wire, p, base) for p, base in signs if spans[1].add(p)]
        continuous = [self._factor(PositiveScaling(wire.size), wire, p, base) for p, base in scales if spans[0].add(p)]
        return continuous, discrete

    def _joined(self, wire: Leaf) -> Factor:
        """Return the permutations of the channels of several wires that only constants keep apart."""
        wires = self.joined[wire]
        name = Wire(self.names[wire].name, sum(w.size for w in wires))
        self.positions[name] = self.positions[self.names[wire]]
        places = [[self.where[w][k] for w in wires] for k in range(len(self.where[wire]))]
        slots = [(p[0], joined_slot(p[0][1], [self._term(one) for one in p], p[0][3])) for p in places]
        bindings = tuple(Binding(self._value(at[0]).name, slot, offset=self._value(at[0]).offset) for at, slot in slots)
        return Factor(Permutation(name.size), name, (), bindings)

    def _sparse(self, patterns: list[Pattern]) -> list[Pattern]:
        """Return a basis of the same space whose patterns move few tensors, parameters rather than buffers, and variances least.

        A scale that a stored variance absorbs has no best value between two different models, so as few patterns as possible,
        one per variance, should move any.
        """
        if not patterns:
            return patterns
        costs = {w: _COST[_sort(self._value(w[0]))] for p in patterns for w in p}

        def cost(pattern: Pattern) -> float:
            return sum(map(costs.__getitem__, pattern))

        patterns = self._one_per_variance(list(patterns), cost)
        better = True
        while better:
            better = False
            for i, p in enumerate(patterns):
                for q in patterns[:i] + patterns[i + 1 :]:
                    shared = p.keys() & q.keys()
                    # The difference gains what only q has, so it can only pay if q lies mostly inside p.
                    if 2 * len(shared) <= len(q):
                        continue
                    ratios = {_ratio(p[w], q[w]) for w in shared}
                    sums = [_minus(p, q, r) for r in ratios]
                    best = min(sums, key=cost)
                    if cost(best) < cost(patterns[i]):
                        patterns[i], better = best, True
                        break
        return patterns

    def _one_per_variance(self, patterns: list[Pattern], cost: Callable[[Pattern], float]) -> list[Pattern]:
        """Return a basis in which every stored variance is in one pattern only, the smallest that had it."""
        for where in dict.fromkeys(w for p in patterns for w in p if _sort(self._value(w[0])) == "variance"):
            bearing = [k for k, p in enumerate(patterns) if where in p]
            pivot = min(bearing, key=lambda k: cost(patterns[k]))
            for k in bearing:
                if k != pivot:
                    patterns[k] = _minus(patterns[k], patterns[pivot], _ratio(patterns[k][where], patterns[pivot][where]))
        return patterns

    def _mixing(self, wire: Leaf, patterns: list[Pattern], everywhere: Pattern, spans: tuple[Span, Span]) -> list[Factor]:
        joint: Pattern = {}
        for pattern in patterns:
            joint |= {k: joint.get(k, 0) + v for k, v in pattern.items()}
        if set(joint) == set(everywhere) and all(abs(p) == 1 for p in joint.values()):
            spans[0].add(joint)
            spans[1].add(everywhere)
            return [self._factor(GeneralLinear(wire.size), wire, joint)]
        if not joint:
            spans[1].add(everywhere)
            return [self._factor(Orthogonal(wire.size), wire, everywhere)]
        return [self._factor(PositiveScaling(wire.size), wire, p) for p in patterns if spans[0].add(p)]

    def _planes(self, wire: Leaf, patterns: list[Pattern], spans: tuple[Span, Span]) -> list[Factor]:
        everywhere: Pattern = dict.fromkeys(self.where[wire], 1)
        joint: Pattern = {}
        for pattern in patterns:
            joint |= {k: joint.get(k, 0) + v for k, v in pattern.items()}
        scale = set(joint) == set(everywhere) and all(abs(p) == 1 for p in joint.values())
        if joint and not scale:
            return [self._factor(PositiveScaling(wire.size), wire, p) for p in patterns if spans[0].add(p)]
        bindings: list[Binding] = []
        over = self._over(wire)
        for value in self.leaves:
            for axis in range(len(value.shape)):
                mine = [w for w in self.where[wire] if w[:2] == (value.index, axis)]
                if not mine:
                    continue
                pairs = self._pairs(value, axis, mine)
                if pairs is None or any(joint.get(first) != joint.get(second) for first, second in pairs):
                    return [self._factor(PositiveScaling(wire.size), wire, p) for p in patterns if spans[0].add(p)]
                for first, second in pairs:
                    start = self._term(second).start
                    power = _fraction(joint.get(first, 1)) if scale else _ONE
                    bindings += self._bindings(over, first, power, second_start=start)
        if scale:
            spans[0].add(joint)
        spans[1].add(everywhere)
        return [Factor(PlaneRotation(wire.size, scale), self.names[wire], tuple(self.names[b] for b in over), tuple(bindings))]

    def _pairs(self, value: Value, axis: int, mine: list[Where]) -> list[tuple[Where, Where]] | None:
        """Return which places of a plane wire on an axis are the real and imaginary parts of each other."""
        wire = self.ground.terms(value)[axis][mine[0][2]].wires[mine[0][3]]
        pairs = plane_terms(self.ground.terms(value)[axis], wire, self.ground.types.turning[wire])
        at = {place[2]: place for place in mine}
        return None if pairs is None or len(at) < len(mine) else [(at[first], at[second]) for first, second in pairs]

    def _whole_factors(self, patterns: list[dict], span: Span, group: AbstractGroup) -> list[Factor]:
        out = []
        for pattern in patterns:
            if span.add_cells(pattern):
                bindings = tuple(
                    Binding(value.name, None, region=self._region(value, cell), power=_fraction(power), offset=value.offset)
                    for (index, cell), power in pattern.items()
                    for value in [self._value(index)]
                )
                out.append(Factor(group, Wire(bindings[0].tensor, 1), (), bindings))
        return out

    def _region(self, value: Value, cell: Cell) -> tuple[Slot, ...]:
        return tuple(
            slot_of(axis, self.ground.term(value, axis, t), -1)
            for axis, t in enumerate(cell)
            if self.ground.count(value, axis) > 1
        )

    # -- bindings ---------------------------------------------------------------------------------

    def _over(self, wire: Leaf, base: Leaf | None = None) -> list[Leaf]:
        bases = [b for b in (*self.deps.get(wire, ()), base) if b in self.order and b.size > 1]
        return bases and sorted(bases, key=self.order.__getitem__)

    def _factor(self, group: AbstractGroup, wire: Leaf, pattern: Pattern, base: Leaf | None = None) -> Factor:
        bindings: list[Binding] = []
        over = self._over(wire, base)
        for where in self.where[wire]:
            if where in pattern:
                bindings += self._bindings(over, where, _fraction(pattern[where]))
        return Factor(group, self.names[wire], tuple([self.names[b] for b in over]), tuple(bindings))

    def _term(self, where: Where) -> Term:
        index, axis, t, _ = where
        return self.ground.term(self._value(index), axis, t)

    def _bindings(self, outer: list[Leaf], where: Where, power: Fraction, second_start: int | None = None) -> list[Binding]:
        """Return the bindings of one place: one for every combination of places of the outer wires."""
        index, axis, _, k = where
        value, term = self._value(index), self._term(where)
        own = self._slot(axis, term, k) if second_start is None else slot_of(axis, term, k, second_start)
        if not outer:
            return [Binding(value.name, own, power=power, offset=value.offset)]
        choices: list[list[Slot]] = []
        for base in outer:
            if base in term.wires:
                choices.append([slot_of(axis, term, term.wires.index(base), second_start)])
                continue
            other = next(a for a in range(len(value.shape)) if a != axis and self._bears(value, a, base))
            choices.append([slot_of(other, t, t.wires.index(base)) for t in self.ground.terms(value)[other]])
        return [Binding(value.name, own, over=over, power=power, offset=value.offset) for over in cartesian(*choices)]

    def _slot(self, axis: int, term: Term, place: int) -> Slot:
        """Return a slot; vectors along one wire share theirs."""
        key = (axis, id(term), place)
        known = self._slots.get(key)
        if known is None:
            known = self._slots[key] = slot_of(axis, term, place)
        return known

    def _bears(self, value: Value, axis: int, wire: Leaf) -> bool:
        return any(wire in t.wires for t in self.ground.terms(value)[axis])


def _sort(value: Value) -> str:
    if value.kind is Kind.PARAMETER:
        return "parameter"
    return "variance" if value.name.endswith("running_var") else "buffer"


def _ratio(a: int | Fraction, b: int | Fraction) -> int | Fraction:
    if b in (1, -1):
        return a * b
    out = _fraction(a) / _fraction(b)
    return out.numerator if out.denominator == 1 else out


def _minus(p: Pattern, q: Pattern, factor: int | Fraction) -> Pattern:
    out = p | {w: p.get(w, 0) - factor * v for w, v in q.items()}
    return {w: v for w, v in out.items() if v}


_fraction = lru_cache(maxsize=1024)(Fraction)
_ONE = _fraction(1)
