"""Branches that are summed and have the same form may change places: experts, parallel paths, listed heads.

Every cell of every value gets a fingerprint from the operation that made it and the fingerprints of what it was made of;
sums and contractions over blocks are multisets. Summands whose fingerprints agree once parameters lose their names
are candidates. Walking two of them in parallel pairs their parameters; the pair is exchangeable if renaming the
one set into the other leaves the fingerprint of every output as it was.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable

from parasym.find.form import may_have_equal_branches
from parasym.find.ground import Ground, Step
from parasym.find.slots import slot_of
from parasym.find.structure import Cell, TooManyCells
from parasym.groups import Permutation
from parasym.rules.program import (
    Cat,
    Contract,
    Fixed,
    Fn,
    Instruction,
    Kind,
    Normalize,
    Permute,
    Pin,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Value,
)
from parasym.symmetry import Factor, Part, Swap, Wire

Node = tuple[int, Cell]
Child = tuple[Node, Hashable]
_MOST = 200


class Fingerprints:
    """The tree of cells of a program, and its fingerprints under a naming of the parameters.

    Args:
        ground: Types and places.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.program = ground.types.program
        self.made: dict[int, Instruction] = {}
        for step in ground.steps:
            if step.out is not None:
                self.made[step.out.index] = step.code
        self.children: dict[Node, tuple[Hashable, bool, list[Child]]] = {}
        self.sums: dict[Node, list[list[Child]]] = {}
        self.order: list[Node] = []
        for value in self.program.values:
            if value.index not in self.made:
                for cell in ground.cells(value):
                    self._leaf(value, cell)
        for step in ground.steps:
            if step.out is not None:
                for cell in ground.cells(step.out):
                    self._inner(step, step.out, cell)

    def _leaf(self, value: Value, cell: Cell) -> None:
        shape = tuple(self.ground.term(value, a, t).size for a, t in enumerate(cell))
        if value.kind is Kind.CONSTANT and value.data is not None:
            part = value.data
            for a, t in enumerate(cell):
                term = self.ground.term(value, a, t)
                part = part.index_select(a, slot_of(a, term, -1).positions().flatten())
            name: Hashable = ("constant", shape, part.cpu().numpy().tobytes())
        elif value.leaf:
            name = ("leaf", shape, value.kind, value.offset)
        else:
            name = ("value", value.index, cell)
        self.children[value.index, cell] = (name, False, [])
        self.order.append((value.index, cell))

    def _inner(self, step: Step, out: Value, cell: Cell) -> None:
        name, loose, children = self._parts(step, out, cell)
        self.children[out.index, cell] = (name, loose, children)
        self.order.append((out.index, cell))

    def _parts(self, made: Step, out: Value, cell: Cell) -> tuple[Hashable, bool, list[Child]]:
        step, template = made.code, made.template
        tag = self.program.tag(out)
        if isinstance(step, (Reshape, Permute, Slice, Cat)):
            found: list[Child] = [
                ((x.index, link.x_cell), "") for k, x in enumerate(made.xs) for link in template.links(k) if link.out_cell == cell
            ]
            if len(found) != 1:
                raise TooManyCells
            rearranged = (type(step).__name__, out.shape if isinstance(step, Reshape) else getattr(step, "order", ""))
            return rearranged, False, found
        if not template.lettered:
            raise TooManyCells
        letters, xs = template.letters, made.xs
        want = {c: t for c, t in zip(letters[-1], cell, strict=True) if c is not None}
        rows = []
        for choice in template.choices:
            if all(choice[c] == t for c, t in want.items() if c in choice):
                rows.append(
                    tuple(
                        (x.index, tuple(0 if c is None else choice[c] for c in mine))
                        for x, mine in zip(xs, letters[:-1], strict=True)
                    )
                )
        rows = list(dict.fromkeys(rows))
        if isinstance(step, Pointwise):
            return self._pointwise(step, tag, letters, rows[0], (out.index, cell))
        if isinstance(step, Contract):
            summands: list[list[Child]] = [list(zip(row, ("x", "y"), strict=True)) for row in rows]
            if len(rows) > 1:
                self.sums[out.index, cell] = summands
            return ("contract", letters), True, [((out.index, cell), row) for row in rows]  # type: ignore[misc]
        if isinstance(step, Reduce):
            if len(rows) > 1 and step.fn in ("sum", "mean"):
                self.sums[out.index, cell] = [[(row[0], "")] for row in rows]
            which = step.x.shape if step.fn in ("sum", "mean") else tag
            return ("reduce", step.fn, step.dims, which), True, [(row[0], "") for row in rows]
        if isinstance(step, Normalize):
            others = [
                c for c in self.ground.cells(step.x) if all(c[a] == cell[a] for a in range(len(cell)) if a not in step.dims)
            ]
            rest = [((step.x.index, c), "other") for c in others if c != cell]
            return ("normalize", tag, step.dims), True, [((step.x.index, cell), "own"), *rest]
        if isinstance(step, Rotary):
            turned = [c for c in self.ground.cells(step.x) if c[:-2] == cell[:-2] and (step.interleaved or c[:-1] == cell[:-1])]
            return ("rotary", tag, step.interleaved, cell[-2:]), False, [((step.x.index, c), k) for k, c in enumerate(turned)]
        if isinstance(step, Fixed):
            kept = {out_axis for _, out_axis in step.kept}
            where = tuple(t for a, t in enumerate(cell) if a not in kept)
            return ("fixed", tag, where), False, [(row[0], k) for k, row in enumerate(rows)]
        return (type(step).__name__, tag, out.shape), False, [(row[0], "") for row in rows]

    def _pointwise(
        self, step: Pointwise, tag: Hashable, letters: tuple, row: tuple[Node, ...], here: Node
    ) -> tuple[Hashable, bool, list[Child]]:
        aligned = [(node, mine) for node, mine in zip(row, letters[:-1], strict=True)]
        if step.fn is Fn.ADD:
            children = [(node, (mine, sign)) for (node, mine), sign in zip(aligned, step.signs, strict=True)]
            flat: list[Child] = []
            for (node, how), x in zip(children, step.xs, strict=True):
                inner = self.children[node]
                nested = inner[0] == "add" and x.shape == step.out.shape and how[1] == 1
                flat += inner[2] if nested else [(node, how)]
            self.sums[here] = [[child] for child in flat]
            return "add", True, flat
        if step.fn is Fn.MUL:
            return "mul", True, [(node, (mine, degree)) for (node, mine), degree in zip(aligned, step.degrees, strict=True)]
        return ("pointwise", tag, step.fn, step.signs), False, [(n, (m, k)) for k, (n, m) in enumerate(aligned)]

    def is_leaf(self, node: Node) -> bool:
        """Whether a node is a parameter, perhaps reshaped."""
        while isinstance(self.made.get(node[0]), Reshape):
            node = self.children[node][2][0][0]
        return not self.children[node][2]

    # -- fingerprints -----------------------------------------------------------------------------

    def compute(self, names: dict[Node, Hashable]) -> dict[Node, int]:
        """Return the fingerprint of every cell.

        Args:
            names: Names of parameter cells; a cell that is not named counts by its shape alone.
        """
        prints: dict[Node, int] = {}
        for node in self.order:
            name, loose, children = self.children[node]
            if not children:
                prints[node] = hash((name, names.get(node)))
                continue
            parts = [self._print(child, how, prints) for child, how in children]
            prints[node] = hash((name, tuple(sorted(parts) if loose else parts)))
        return prints

    def _print(self, child: Node, how: Hashable, prints: dict[Node, int]) -> int:
        if isinstance(how, tuple) and how and isinstance(how[0], tuple) and child not in prints:
            return hash(tuple(prints[node] for node in how))  # a row of a contraction
        return hash((prints[child], how))

    def outputs(self, prints: dict[Node, int]) -> list[int]:
        """Return the fingerprints of all outputs, and of all that an operation without a rule sees, in order."""
        seen = [v for step in self.program.code if isinstance(step, Pin) for v in step.xs]
        return [prints[v.index, cell] for v in (*self.program.outputs, *seen) for cell in self.ground.cells(v)]

    def walk(self, roots: list[Child], prints: dict[Node, int]) -> list[Node]:
        """Return the parameter cells below a summand, in an order that two equal summands share.

        Args:
            roots: The nodes of the summand.
            prints: Fingerprints without names.
        """
        out: list[Node] = []
        seen: set[Node] = set()
        stack = [node for node, _ in reversed(roots)]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            _, loose, children = self.children[node]
            if not children:
                if self.program.values[node[0]].leaf:
                    out.append(node)
                continue
            below = [
                (how if isinstance(how, tuple) and child == node else ((child),), self._print(child, how, prints), how)
                for child, how in children
            ]
            rows = [(nodes, p) for nodes, p, how in below if how != "other"]
            if loose:
                rows.sort(key=lambda row: row[1])
            stack += [n for nodes, _ in reversed(rows) for n in reversed(nodes)]
        return out


def exchanges(ground: Ground) -> list[Factor]:
    """Return the exchanges of whole branches.

    Args:
        ground: Types and places.
    """
    program = ground.types.program
    # Recurrences, and statistics that a branch updates, are no trees.
    if program.loops or not may_have_equal_branches(ground):
        return []
    try:
        tree = Fingerprints(ground)
    except TooManyCells:
        return []
    plain = tree.compute({})
    leaves = [node for node in tree.order if program.values[node[0]].leaf]
    names: dict[Node, Hashable] = {node: node for node in leaves}
    named = tree.outputs(tree.compute(names))
    out: list[Factor] = []
    used: set[Node] = set()
    tries = 0
    # The largest groups first: a sum of three written as a sum of two and one more is one group of three.
    for group in sorted(_candidates(tree, plain), key=len, reverse=True):
        walks = [tree.walk(summand, plain) for summand in group]
        members = [walks[0]]
        for other in walks[1:]:
            swap = _pairing(walks[0], other)
            if swap is None or used & set(swap) or tries > _MOST:
                continue
            tries += 1
            if tree.outputs(tree.compute(names | swap)) == named:
                members.append(other)
        if len(members) > 1:
            own = [k for k in range(len(members[0])) if len({m[k] for m in members}) == len(members)]
            own.sort(key=members[0].__getitem__)  # fingerprints differ from process to process, the program does not
            used |= {m[k] for m in members for k in own}
            out.append(_factor(ground, [[m[k] for k in own] for m in members]))
    return out


def _candidates(tree: Fingerprints, plain: dict[Node, int]) -> Iterable[list[list[Child]]]:
    for summands in tree.sums.values():
        groups: dict[int, list[list[Child]]] = defaultdict(list)
        for summand in summands:
            if len(summand) == 1 and tree.is_leaf(summand[0][0]):
                continue  # two biases in one sum: a translation between them says more
            groups[hash(tuple(hash((plain[node], how)) for node, how in summand))].append(summand)
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


def _factor(ground: Ground, members: list[list[Node]]) -> Factor:
    parts = tuple(tuple(_part(ground, node) for node in member) for member in members)
    name = Wire(parts[0][0].tensor, len(members))
    return Factor(Permutation(len(members)), name, (), (Swap(parts),))


def _part(ground: Ground, node: Node) -> Part:
    value = ground.types.program.values[node[0]]
    slots = [slot_of(a, ground.term(value, a, t), -1) for a, t in enumerate(node[1]) if ground.count(value, a) > 1]
    return Part(value.name, tuple(slots))
