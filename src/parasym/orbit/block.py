"""The blocks of coordinates of matching: the isometric factors of one wire, aligned together."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from parasym.groups import GeneralLinear, Permutation, PlaneRotation, SignFlip
from parasym.symmetry import Binding, Factor, Symmetry, Wire


@dataclass(frozen=True)
class Block:
    """Factors of one wire that are solved at once.

    Attributes:
        factor: Index of the factor: permutations, signs, rotations or planes.
        sign: Index of the sign flips of the same wire, joined to permutations; ``None`` without.
        kind: ``"permutation"``, ``"sign"``, ``"rotation"`` or ``"plane"``.
        wire: The wire.
        over: The outer wires.
        bindings: The places that count.
        odd: For each of them, whether it changes sign with the channel.
        inner: Indices of the blocks that have their own element per channel of this wire.
    """

    factor: int
    sign: int | None
    kind: str
    wire: Wire
    over: tuple[Wire, ...]
    bindings: tuple[Binding, ...]
    odd: tuple[bool, ...]
    inner: tuple[int, ...] = ()


_KINDS = (
    (Permutation, "permutation"),
    (SignFlip, "sign"),
    (GeneralLinear, "rotation"),  # what is left of it in the balanced gauge; O(n) is a subclass
    (PlaneRotation, "plane"),
)


def blocks_of(symmetry: Symmetry, ignore: tuple[str, ...] = ()) -> tuple[Block, ...]:
    """Return the blocks of a symmetry, outer wires before inner ones.

    Args:
        symmetry: Any symmetry.
        ignore: Shell patterns of names that do not count.
    """
    factors = symmetry.factors
    permuted = {(f.wire, f.over): k for k, f in enumerate(factors) if isinstance(f.group, Permutation)}
    flipped = {(f.wire, f.over): k for k, f in enumerate(factors) if isinstance(f.group, SignFlip)}
    found = []
    for k, factor in enumerate(factors):
        kind = next((name for group, name in _KINDS if isinstance(factor.group, group)), None)
        key = (factor.wire, factor.over)
        if kind is None or (kind == "sign" and key in permuted):
            continue
        sign = flipped.get(key) if kind == "permutation" else None
        found.append(_block(k, sign, kind, factor, None if sign is None else factors[sign], ignore))
    found.sort(key=lambda block: len(block.over))  # stable: the order of the network within a depth
    return tuple(_with_inner(block, found) for block in found)


def _block(k: int, sign: int | None, kind: str, factor: Factor, signs: Factor | None, ignore: tuple[str, ...]) -> Block:
    kept = [b for b in factor.bindings if isinstance(b, Binding) and not any(fnmatchcase(b.tensor, p) for p in ignore)]
    flipping = () if signs is None else tuple((b.tensor, b.slot) for b in signs.bindings if isinstance(b, Binding) and b.power % 2)
    odd = tuple(kind != "permutation" or (b.tensor, b.slot) in flipping for b in kept)
    return Block(k, sign, kind, factor.wire, factor.over, tuple(kept), odd)


def _with_inner(block: Block, found: list[Block]) -> Block:
    inner = tuple(k for k, other in enumerate(found) if block.wire in other.over)
    return Block(block.factor, block.sign, block.kind, block.wire, block.over, block.bindings, block.odd, inner)
