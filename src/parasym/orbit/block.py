"""The blocks of coordinates of matching: the isometric factors of one wire, aligned together."""

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from parasym.groups import AbstractGroup
from parasym.symmetry import Binding, Factor, Slot, Symmetry, Wire


@dataclass(frozen=True)
class Block:
    """Factors of one wire that are solved at once.

    Attributes:
        factor: Id of the factor: permutations, signs, rotations or planes.
        signs: Ids of the sign flips of the same wire, which permutations are solved with.
        group: The factor's group.
        wire: The wire.
        over: The outer wires.
        bindings: The places that count.
        parity: For each of them, which of the ``signs`` flip it.
        inner: Indices of the blocks that have their own element per channel of this wire.
    """

    factor: str
    signs: tuple[str, ...]
    group: AbstractGroup
    wire: Wire
    over: tuple[Wire, ...]
    bindings: tuple[Binding, ...]
    parity: tuple[tuple[bool, ...], ...]
    inner: tuple[int, ...] = ()


def blocks_of(symmetry: Symmetry, ignore: tuple[str, ...] = ()) -> tuple[Block, ...]:
    """Return the blocks of a symmetry, outer wires before inner ones.

    Args:
        symmetry: Any symmetry.
        ignore: Shell patterns of names that do not count.
    """
    factors = symmetry.factors
    permutations = [f for f in factors if f.group.permutes]
    found = []
    for factor in factors:
        with_permutations = factor.group.flips and any(is_same_wire(factor, f) for f in permutations)
        if not factor.group.can("align") or with_permutations:
            continue
        signs = [f for f in factors if f.group.flips and is_same_wire(factor, f)]
        found.append(_block(factor, signs if factor.group.permutes else [], ignore))
    # Stable: the order of the network within a depth. One sign for many tensors comes before what it would hide.
    found.sort(key=lambda block: (block.wire.size > 1, len(block.over)))
    return tuple(_with_inner(block, found) for block in found)


def is_same_wire(f: Factor, g: Factor) -> bool:
    """Return whether two factors act on the channels of one wire: by its name, or by a place that both share.

    Args:
        f: A factor.
        g: Another one.
    """
    if f.over != g.over or f.group.size != g.group.size:
        return False
    return f.wire == g.wire or bool(_places(f) & _places(g))


def _places(factor: Factor) -> set[tuple[str, Slot]]:
    return {(b.tensor, b.slot) for b in factor.bindings if isinstance(b, Binding) and b.slot is not None}


def _block(factor: Factor, signs: list[Factor], ignore: tuple[str, ...]) -> Block:
    kept = [b for b in factor.bindings if isinstance(b, Binding) and not any(fnmatchcase(b.tensor, p) for p in ignore)]
    flipped = [_flipped(sign) for sign in signs]
    parity = tuple(tuple((b.tensor, b.slot) in places for places in flipped) for b in kept)
    ids = tuple(sign.id for sign in signs)
    return Block(factor.id, ids, factor.group, factor.wire, factor.over, tuple(kept), parity)


def _flipped(factor: Factor) -> set[tuple[str, Slot | None]]:
    return {(b.tensor, b.slot) for b in factor.bindings if isinstance(b, Binding) and b.power % 2}


def _with_inner(block: Block, found: list[Block]) -> Block:
    inner = tuple(k for k, other in enumerate(found) if block.wire in other.over)
    return replace(block, inner=inner)
