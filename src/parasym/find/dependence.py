"""Which wires may take a different element in every slice of which other wires."""

from collections import Counter
from functools import reduce

from parasym.find.axis import Leaf
from parasym.find.links import Ground, Letters, letters_of
from parasym.find.typing import Types
from parasym.rules.program import Kind, Normalize, Permute, Rotary, Value

Deps = dict[Leaf, set[Leaf]]


def dependences(ground: Ground, mixed: set[Leaf]) -> Deps:
    """Return for every wire the outer wires in whose slices it may take different elements.

    Wire ``w`` may depend on wire ``b`` if every tensor that bears ``w`` bears ``b`` exactly once, and every
    operation that touches ``w`` treats ``b`` as an aligned batch.

    Args:
        ground: Types and places.
        mixed: Wires that are mixed linearly; nothing may depend on those.
    """
    types = ground.types
    deps: Deps = {}
    for value in types.program.values:
        _restrict_by_tensor(deps, ground, value)
    for step in types.program.code:
        spec = letters_of(step)
        if spec is not None and not isinstance(step, Permute | Rotary):
            _restrict_by_letters(deps, types, spec, step.dims if isinstance(step, Normalize) else ())
    for wire, bases in deps.items():
        bases -= mixed
        bases.discard(wire)
    return _acyclic(deps)


def _restrict(deps: Deps, wire: Leaf, allowed: set[Leaf]) -> None:
    if wire in deps:
        deps[wire] &= allowed
    else:
        deps[wire] = set(allowed)


def _always(types: Types, value: Value, axis: int) -> set[Leaf]:
    """Return the wires that every term of an axis bears."""
    return reduce(
        set.__and__, (set(term.wires) for term in types.terms(value, axis)), None or set(types.terms(value, axis)[0].wires)
    )


def _restrict_by_tensor(deps: Deps, ground: Ground, value: Value) -> None:
    types = ground.types
    always = [_always(types, value, a) for a in range(len(value.shape))]
    for a in range(len(value.shape)):
        outer = Counter(leaf for k, leaves in enumerate(always) if k != a for leaf in leaves)
        for term in types.terms(value, a):
            count = outer + Counter(term.wires)
            # A constant or a parameter must bear the base once; in activations the operations decide.
            once = {leaf for leaf, n in count.items() if n == 1 or value.kind is Kind.ACTIVATION}
            for wire in dict.fromkeys(term.wires):
                _restrict(deps, wire, once)


def _restrict_by_letters(deps: Deps, types: Types, spec: Letters, joint: tuple[int, ...]) -> None:
    """Keep the bases that an instruction treats as an aligned batch; ``joint`` letters it takes statistics over."""
    axes: dict[int, list[tuple[Value, int]]] = {}
    for value, letters in zip(spec.values, spec.letters, strict=True):
        for axis, letter in enumerate(letters):
            if letter is not None:
                axes.setdefault(letter, []).append((value, axis))
    bearing = {letter: {k for k, mine in enumerate(spec.letters) if letter in mine} for letter in axes}
    for letter, places in axes.items():
        value, axis = places[0]
        terms = types.terms(value, axis)
        if not any(term.wires for term in terms):
            continue
        outer: set[Leaf] = set()
        for other, others in axes.items():
            if other != letter and other not in joint and bearing[letter] <= bearing[other]:
                outer |= _always(types, *others[0])
        for term in terms:
            for wire in dict.fromkeys(term.wires):
                _restrict(deps, wire, outer | set(term.wires))


def _acyclic(deps: Deps) -> Deps:
    """Drop dependences that run both ways, keeping the one on the wire met first."""
    order = {wire: k for k, wire in enumerate(deps)}
    for wire, bases in deps.items():
        bases -= {b for b in bases if wire in deps.get(b, set()) and order[b] > order[wire]}
    return deps
