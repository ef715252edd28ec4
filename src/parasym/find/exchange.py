"""Branches that are summed and have the same form may change places: experts, parallel paths, listed heads.

Summands whose fingerprints agree once parameters lose their names (see :mod:`parasym.find.fingerprint`) are candidates.
Walking two of them in parallel pairs their parameters; the pair is exchangeable if renaming the
one set into the other leaves the fingerprint of every output as it was.

Every try computes all fingerprints anew, so there are at most :data:`MOST` of them; what was not tried is said.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from parasym.find.axis import Leaf
from parasym.find.coarse import untried
from parasym.find.fingerprint import Child, Fingerprints, Node
from parasym.find.fingerprint_hint import may_have_equal_branches
from parasym.find.ground import Ground
from parasym.find.loops import ReadStatistics
from parasym.find.slots import slot_of
from parasym.find.structure import TooManyCells
from parasym.groups import Permutation
from parasym.rules.program import Value
from parasym.symmetry import Coarse, Factor, Part, Swap, Wire

MOST = 200
"""Pairs of branches that are tried."""


@dataclass(frozen=True)
class Exchanges:
    """Branches that may change places.

    Attributes:
        factors: One per group of branches.
        coarse: What was not tried, and the parameters that it may cost a group.
    """

    factors: tuple[Factor, ...] = ()
    coarse: tuple[Coarse, ...] = ()


def exchanges(ground: Ground, joining: Mapping[Leaf, Leaf]) -> Exchanges:
    """Return the exchanges of whole branches.

    Args:
        ground: Types and places.
        joining: For wires whose channels change places with those of others, which wire stands for all of them: to exchange the
            two as a whole is nothing new.
    """
    program = ground.types.program
    if not may_have_equal_branches(ground):
        return Exchanges()
    try:
        tree = Fingerprints(ground)
    except TooManyCells:
        return _uncompared("values are cut into so many blocks", program.values)
    except ReadStatistics:
        return _uncompared("statistics are read in the pass that updates them", program.values)
    plain = tree.compute({})
    # The largest groups first: a sum of three written as a sum of two and one more is one group of three.
    candidates = sorted(_candidates(tree, plain), key=len, reverse=True)
    if not candidates:
        return Exchanges()
    names: dict[Node, Hashable] = {node: node for node in tree.made if program.values[node[0]].leaf}
    named = tree.outputs(tree.compute(names))
    out: list[Factor] = []
    used: set[Node] = set()
    left: list[Value] = []
    tries = 0
    for group in candidates:
        walks = [tree.walk(summand, plain) for summand in group]
        members = [walks[0]]
        for other in walks[1:]:
            swap = _pairing(walks[0], other)
            if swap is None or other in members or used & set(swap):
                continue
            if all(_is_joined(ground, joining, a, b) for a, b in swap.items()):
                continue
            if tries == MOST:
                left += [program.values[node[0]] for node in other]
                continue
            tries += 1
            if tree.outputs(tree.compute(names | swap)) == named:
                members.append(other)
        if len(members) > 1:
            own = [k for k in range(len(members[0])) if len({m[k] for m in members}) == len(members)]
            own.sort(key=members[0].__getitem__)  # fingerprints differ from process to process, the program does not
            used |= {m[k] for m in members for k in own}
            out.append(_factor(ground, [[m[k] for k in own] for m in members]))
    reason = f"{MOST} pairs of branches were tried, and there are more of one form"
    return Exchanges(tuple(out), (untried("exchange of branches", reason, left),) if left else ())


def _uncompared(why: str, values: list[Value]) -> Exchanges:
    return Exchanges((), (untried("exchange of branches", f"{why}, so that branches are not compared", values),))


def _candidates(tree: Fingerprints, plain: dict[Node, int]) -> Iterator[list[Child]]:
    for summands in tree.sums.values():
        groups: dict[int, list[Child]] = defaultdict(list)
        for summand in summands:
            if len(summand.nodes) == 1 and tree.is_leaf(summand.nodes[0]):
                continue  # two biases in one sum: a translation between them says more
            groups[tree.of_child(summand, plain)].append(summand)
        yield from (group for group in groups.values() if len(group) > 1)


def _pairing(first: list[Node], second: list[Node]) -> dict[Node, Hashable] | None:
    """Return the renaming that swaps two walks, ``None`` if it is not one-to-one or moves nothing."""
    if len(first) != len(second):
        return None
    swap: dict[Node, Hashable] = {}
    for a, b in zip(first, second, strict=True):
        if swap.get(a, b) != b or swap.get(b, a) != a:
            return None
        swap[a], swap[b] = b, a
    return swap if any(a != b for a, b in swap.items()) else None


def _is_joined(ground: Ground, joining: Mapping[Leaf, Leaf], a: Node, b: Hashable) -> bool:
    """Whether two blocks of one tensor differ only in wires that permutations of channels mix."""
    if a == b:
        return True
    if not joining or not isinstance(b, tuple) or a[0] != b[0]:
        return False
    value = ground.types.program.values[a[0]]
    wires = [[ground.wires(value, axis, t) for axis, t in enumerate(cell)] for cell in (a[1], b[1])]
    return all([joining.get(w, w) for w in p] == [joining.get(w, w) for w in q] for p, q in zip(*wires, strict=True))


def _factor(ground: Ground, members: list[list[Node]]) -> Factor:
    parts = tuple(tuple(_part(ground, node) for node in member) for member in members)
    name = Wire(parts[0][0].tensor, len(members))
    return Factor(Permutation(len(members)), name, (), (Swap(parts),))


def _part(ground: Ground, node: Node) -> Part:
    value = ground.types.program.values[node[0]]
    slots = [slot_of(a, ground.term(value, a, t), -1) for a, t in enumerate(node[1]) if ground.count(value, a) > 1]
    return Part(value.name, tuple(slots))
