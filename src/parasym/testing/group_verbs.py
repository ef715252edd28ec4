"""What every verb makes of a symmetry with a given group: the right answer, or a refusal that names the group."""

from collections.abc import Callable
from fractions import Fraction

import torch

from parasym.core import Params, SymmetryError
from parasym.groups import GROUPS
from parasym.orbit import canonicalize, distance, match
from parasym.symmetry import Binding, Factor, Slot, Symmetry, Wire
from parasym.testing.contract_error import require
from parasym.testing.group_law import GroupCase

PLANTED = 1e-6
"""What is left of the distance between two points of one orbit, relative to their norm, when they are matched."""


def verbs_law(case: GroupCase) -> None:
    """Check print, JSON, sample, act, match, distance and canonicalize of two layers with the group between them."""
    symmetry = _between_two_layers(case)
    _check_text(case, symmetry)
    shapes = dict(symmetry.shapes)
    a = {n: torch.randn(s, generator=case.generator, dtype=torch.float64).to(case.device) for n, s in shapes.items()}
    g = symmetry.sample(generator=case.generator, device=case.device)
    b = g(a)
    back, wrapped = (~g)(b), case.group.wrap
    for name, axis in (("up", 0), ("down", 1)):
        case.close(a[name] + wrapped(back[name] - a[name], axis), a[name], f"(~g)(g({name})) = {name}")
    scale = sum(float(x.square().sum()) for x in a.values()) ** 0.5
    for verb, left in _what_is_left(symmetry, a, b).items():
        _check_verb(case, verb, left, scale)


def _between_two_layers(case: GroupCase) -> Symmetry:
    n = case.group.length
    up, down = (Slot.whole(axis, n) for axis in (0, 1))
    bindings = (Binding("up", up), Binding("down", down, power=Fraction(-1)))
    factor = Factor(case.group, Wire("up[0]", case.group.size), (), bindings)
    return Symmetry((factor,), (("up", (n, 2 * n + 1)), ("down", (2 * n + 3, n))))


def _check_text(case: GroupCase, symmetry: Symmetry) -> None:
    group = case.group
    require(group.label in str(symmetry), f"{group}: print, {group.label} is not in {str(symmetry)!r}.")
    again = Symmetry.from_json(symmetry.to_json(), groups=(*GROUPS, type(group)))
    same = again == symmetry and [f.id for f in again.factors] == [f.id for f in symmetry.factors]
    require(same, f"{group}: JSON, what is read is not what was written.")


def _what_is_left(symmetry: Symmetry, a: Params, b: Params) -> dict[str, Callable[[], float]]:
    def canonical() -> float:
        one, two = canonicalize(symmetry, a).params, canonicalize(symmetry, b).params
        return _gap(one, two)

    return {
        "match": lambda: _gap(a, symmetry.act(match(symmetry, a, b), b)),
        "distance": lambda: float(distance(symmetry, a, b)),
        "canonicalize": canonical,
    }


def _check_verb(case: GroupCase, verb: str, left: Callable[[], float], scale: float) -> None:
    name = type(case.group).__name__
    try:
        rest = left()
    except SymmetryError as error:
        said = str(error)
        require(name in said and f"`{verb}`" in said, f"{case.group}: `{verb}` refuses, but names not both: {said}")
        return
    require(rest <= PLANTED * scale, f"{case.group}: `{verb}` of two points of one orbit leaves {rest / scale:.3g} of the norm.")


def _gap(a: Params, b: Params) -> float:
    return sum(float((a[n] - b[n]).square().sum()) for n in a) ** 0.5
