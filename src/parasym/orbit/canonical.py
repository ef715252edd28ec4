"""``canonicalize``: one representative of every orbit."""

from collections.abc import Iterator

import torch
from torch import Tensor

from parasym.core import BadInputError, Params, child_generator
from parasym.core.arguments import Model
from parasym.orbit.capable import ensure_canonical
from parasym.orbit.conditioning import ill_notes
from parasym.orbit.exchange import sorting_moves
from parasym.orbit.gauge import balance, undetermined, unsettled
from parasym.orbit.inputs import counting, given_models
from parasym.orbit.meeting import meet
from parasym.orbit.objective import STATISTICS, counted, norm
from parasym.orbit.result import Canonical
from parasym.orbit.translation import settle, settling_moves
from parasym.symmetry import Binding, Element, Factor, Move, Symmetry
from parasym.symmetry.frozen import without_frozen

CANONICAL_TOLERANCE = 1e-13
"""Largest logarithm of a move at which balancing stops."""

REACHED = 1e-9
"""The same, up to which the gauge counts as reached."""

STEPS = 5000
"""Bound on the passes over all scales and matrices."""


def canonicalize(symmetry: Symmetry, params: Model) -> Canonical:
    r"""Return one representative of the orbit of ``params``: equal inputs up to symmetry give equal outputs.

    In this order: translations are spent on the first tensor they move; scalings, moduli and ``GL(n)`` go to the
    balanced gauge; channels are sorted by the norm of their slices, which no other isometry changes; rotations go to
    the eigenbasis of the wire's Gram matrix; signs and phases make a fixed linear functional of the slices positive,
    wire by wire, starting where all other axes are already settled.

    Entries in whose place constants stand are zero in the representative: nothing reads them.

    It holds at generic points. Where channels have equal norms, Gram matrices equal eigenvalues, or a slice no component
    along the functional (a dead unit, two identical heads), the representative is not unique. The computation is in
    float64; models equal up to symmetry only to single precision give representatives equal to that precision.

    Args:
        symmetry: The symmetry.
        params: Parameters and buffers by name, or the module that has them; not modified.

    Returns:
        The element, the representative in the dtypes of ``params``, and the norms before and after.
        ``symmetry.act(canonical, params)`` acts with the element.

    Raises:
        SymmetryError: If a group cannot do what this takes (see :class:`parasym.groups.AbstractGroup`).
        BadInputError: If ``params`` does not fit the symmetry, holds NaN or infinite values, or if a ``GL(n)`` wire is wider
            than the rank that the weights on both its sides can have, so that its orbits have no balanced point.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> generator = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
        >>> symmetry, a = find(net, (torch.zeros(1, 4).double(),)), model_params(net)
        >>> b = symmetry.act(symmetry.sample(generator=generator), a)  # the same function elsewhere
        >>> there = [canonicalize(symmetry, p) for p in (a, b)]
        >>> one, two = (c.params["0.bias"] for c in there)
        >>> print(f"{(a['0.bias'] - b['0.bias']).norm():.2f} {(one - two).norm():.2f}")
        1.09 0.00
        >>> " ".join(f"{x:.3f}" for c in there for x in (c.before, c.after))
        '1.745 1.655 2.324 1.655'

    References:
        Kempf, Ness. The length of vectors in representation spaces. 1979.
    """
    (given,) = given_models(symmetry, (params,), ("params",), "canonicalize(symmetry, params)")
    ensure_canonical(symmetry, "canonicalize")
    counted = counting(symmetry, given)
    x = {n: v.detach().double() if v.is_floating_point() else v for n, v in counted.items()}
    settling = Element(symmetry, settling_moves(symmetry, x))
    balanced = balance(symmetry, settling(x), tolerance=CANONICAL_TOLERANCE, max_steps=STEPS)
    singular = _without_balance(symmetry, balanced.params)
    standard = standard_element(symmetry, balanced.params)
    element = Element(symmetry, (*settling.moves, *balanced.moves, *standard.moves))
    out = element.exactly(without_frozen([one for one in symmetry.frozen if not one.read], given))
    notes = (*unsettled({"the model": balanced.residual}, REACHED), *singular, *ill_notes(symmetry, {"the model": given}))
    return Canonical(element, out, norm(counted), norm(counting(symmetry, out)), not notes, notes)


def standard_element(symmetry: Symmetry, params: Params) -> Element:
    """Return the isometric element that brings parameters in the balanced gauge to their standard position.

    Args:
        symmetry: The symmetry.
        params: Parameters in the balanced gauge; not modified.
    """
    x, moves = params, []

    def move(factor: Factor, g: Tensor) -> Params:
        like = x[factor.tensors[0]]
        g = g.to(like) if g.is_floating_point() else g
        moves.append(Move(factor.id, g))
        return factor.act(g, x)

    rotated = {n for f in symmetry.factors if f.group.can("orient") and not f.group.flips for n in f.tensors}
    for first in sorting_moves(symmetry, x):
        x = move(symmetry.factor(first.factor), first.value)
    for factor in sorted(symmetry.factors, key=lambda f: len(f.over)):
        if factor.group.can("sort") and any(_places(factor, x)):
            x = move(factor, _sorting(factor, x, rotated))
    waiting = [f for f in symmetry.factors if f.group.can("orient")]
    while waiting:
        factor = next((f for f in waiting if any(_usable(f, waiting))), waiting[0])
        if factor.group.can("diagonalize"):
            x = move(factor, factor.group.diagonalize(_gram(factor, x)))
        usable = list(_usable(factor, waiting))
        if usable:
            x = move(factor, _orientation(factor, usable, x))
        waiting.remove(factor)
    return Element(symmetry, tuple(moves))


def _without_balance(symmetry: Symmetry, params: Params) -> tuple[str, ...]:
    """Return the linear wires whose orbits have no balanced point for these weights; refuse those that have none for any."""
    found = undetermined(symmetry, params)
    if not found:
        return ()
    for factor in undetermined(symmetry, settle(symmetry, _generic(params))):
        raise BadInputError(
            f"Wire `{factor.wire.name}` has {factor.wire.size} channels, more than the rank of the weights before it and of "
            "those after it, so its GL orbit has no balanced point and no canonical form. Reduce the width, or use `match`, or "
            "`distance`, which measures in the closure of the orbit."
        )
    return tuple(
        f"the weights before and after wire `{f.wire.name}` are singular up to rounding, so its orbit has no balanced point: the "
        "result depends on where the model was"
        for f in found
    )


def _generic(params: Params) -> Params:
    def drawn(name: str, x: Tensor) -> Tensor:
        generator = child_generator(0, f"generic:{name}")
        return torch.rand(x.shape, generator=generator, dtype=torch.float64).to(x.device) + 0.5

    return {n: drawn(n, x) if x.is_floating_point() else x for n, x in params.items()}


def _places(factor: Factor, params: Params) -> list[Binding]:
    names = set(counted(params, STATISTICS))
    return [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in names and b.power != 0]


def _weight(binding: Binding, *, rotated: bool = False) -> float:
    """Return a fixed random number for a place; rotations may mix the places of one tensor, which then have the same."""
    label = binding.tensor if rotated else f"{binding.tensor}:{binding.slot}"
    return 1.0 + float(torch.rand((), generator=child_generator(0, label), dtype=torch.float64))


def _sorting(factor: Factor, params: Params, rotated: set[str]) -> Tensor:
    """Return the permutation that sorts the norms of the slices, within cells.

    Where nothing rotates a tensor its fourth powers count too: a scale may have given all slices one norm.
    """
    parts = []
    for binding in _places(factor, params):
        square = binding.gather(params[binding.tensor]).square()
        mixed = binding.tensor in rotated
        moment = square.sum(-2) if mixed else (square + square.square()).sum(-2)
        parts.append(_weight(binding, rotated=mixed) * moment)
    return factor.group.sort(torch.stack(parts).sum(0))


def _gram(factor: Factor, params: Params) -> Tensor:
    parts = []
    for binding in _places(factor, params):
        x = binding.gather(params[binding.tensor])
        parts.append(_weight(binding) * (x.mT @ x))
    return torch.stack(parts).sum(0)


def _usable(factor: Factor, waiting: list[Factor]) -> Iterator[Binding]:
    """Yield the places of a factor in tensors that no other waiting factor moves in the same region."""
    own = [b for b in factor.bindings if isinstance(b, Binding) and b.power % 2]
    for binding in own:
        others = [
            b for f in waiting for b in f.bindings if isinstance(b, Binding) and b.tensor == binding.tensor and b is not binding
        ]
        if not any(meet(binding, other) for other in others):
            yield binding


def _orientation(factor: Factor, usable: list[Binding], params: Params) -> Tensor:
    """Return the signs or phases that make a fixed linear functional of every slice positive."""
    total: Tensor | None = None
    for binding in usable:
        x = binding.gather(params[binding.tensor])
        generator = child_generator(0, f"{binding.tensor}:{binding.slot}")
        functional = torch.rand(x.shape[-2], generator=generator, dtype=torch.float64).to(x.device) + 0.5
        part = (x * functional.unsqueeze(-1)).sum(-2)
        total = part if total is None else total + part
    assert total is not None
    return factor.group.orient(total)
