"""A product of moves as one move per factor."""

import torch
from torch import Tensor

from parasym.orbit.block import is_same_wire
from parasym.symmetry import Element, Factor, Move, Shift, Swap, Symmetry


def normal_form(symmetry: Symmetry, element: Element) -> Element:
    r"""Return an equal element with one move per factor: permutations first, outer wires before inner ones.

    Permutations normalize the other groups: :math:`\pi\,x = (\pi x \pi^{-1})\,\pi`, where the conjugate of an element with one
    entry (or one matrix) per channel is that element permuted. What follows a translation is left as it is, since translations
    depend on the parameters. If two factors do not nest, the element is returned unchanged.

    Args:
        symmetry: The symmetry.
        element: Any of its elements.
    """
    values: dict[str, Tensor] = {}
    for at, move in enumerate(element.moves):
        factor = symmetry.factor(move.factor)
        if any(isinstance(b, Shift) for b in factor.bindings):
            return Element(symmetry, (*_ordered(symmetry, values), *_merged(symmetry, element.moves[at:])))
        if factor.group.permutes:
            for k, value in values.items():
                if k != move.factor:
                    conjugate = _conjugate(factor, move.value, symmetry.factor(k), value)
                    if conjugate is None:
                        return element
                    values[k] = conjugate
        old = values.get(move.factor)
        values[move.factor] = move.value if old is None else factor.group.compose(move.value, old)
    return Element(symmetry, _ordered(symmetry, values))


def _merged(symmetry: Symmetry, tail: tuple[Move, ...]) -> tuple[Move, ...]:
    """Return translations that commute as one per factor; anything else as it is."""
    factors = {m.factor: symmetry.factor(m.factor) for m in tail}
    moved = {name for f in factors.values() for name in f.tensors}
    read = {t.weight for f in factors.values() for s in f.bindings if isinstance(s, Shift) for t in s.through}
    if moved & read or not all(isinstance(b, Shift) for f in factors.values() for b in f.bindings):
        return tail
    sums: dict[str, Tensor] = {}
    for move in tail:
        sums[move.factor] = sums[move.factor] + move.value if move.factor in sums else move.value
    return tuple(Move(k, sums[k]) for k in symmetry.by_id if k in sums)


def _ordered(symmetry: Symmetry, values: dict[str, Tensor]) -> tuple[Move, ...]:
    def rank(factor: Factor) -> tuple[bool, int]:
        return not factor.group.permutes, len(factor.over)

    return tuple(Move(f.id, values[f.id]) for f in sorted(symmetry.factors, key=rank) if f.id in values)


def _conjugate(by: Factor, p: Tensor, factor: Factor, value: Tensor) -> Tensor | None:
    """Return ``value`` of ``factor`` after a permutation ``p`` of ``by`` is pushed before it, or ``None`` if it cannot be."""
    if any(isinstance(b, Swap) for b in by.bindings):  # branches take what was done inside of them along
        return None if {*by.tensors} & {*factor.tensors} else value
    if by.wire in factor.over:
        axis = factor.over.index(by.wire)
    elif not factor.group.permutes and (by.wire == factor.wire or is_same_wire(by, factor)):
        axis = len(factor.over)
    else:
        return value
    lead, inside = len(by.over), axis < len(factor.over)
    if factor.over[:lead] != by.over or axis < lead or not (inside or factor.group.can("conjugate")):
        return None
    p = p.reshape(*p.shape[:-1], *[1] * (axis - lead), p.shape[-1], *[1] * (value.ndim - axis - 1)).to(value.device)
    return torch.take_along_dim(value, p, dim=axis) if inside else factor.group.conjugate(value, p)
