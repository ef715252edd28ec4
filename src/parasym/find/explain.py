"""Says where a group acts on a parameter, and which instructions forbid it elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parasym.find.assemble import Assembly
from parasym.find.axis import Leaf
from parasym.find.carriers import Blocked, Carriers
from parasym.find.chain import Chains, Way, touched
from parasym.find.ground import Step
from parasym.find.level import kept_apart
from parasym.find.nulls import NullDirections
from parasym.find.relation import Relations
from parasym.find.structure import Cell, Place, TooManyCells
from parasym.find.sums import Sums
from parasym.find.terms import leaves
from parasym.find.wording import does, holds, lets, mixes, pins, sees
from parasym.rules.program import Kind, Rotary, Value
from parasym.symmetry import Factor, Passage, Reason, Symmetry, Why

_SPANNED = "allowed, and what it does other factors do already"
_UNFIT = "no power of one matrix fits all places that bear it, or it was left out"
_LOOP = "what meets along these ways asks for factors that fit together only if there is none"
_TURNED = "it turns every plane by an angle of its own"
_APART = "a constant tells its channels apart"


class Explanation:
    """What is known of a model, to say why a group is not there. A copy in another process knows nothing.

    Args:
        assembly: What is known of the wires of its program.
    """

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._ground = assembly.ground
        self._types = assembly.ground.types
        self._chains: Chains | None = None
        self.used = {value.name: value for value in assembly.leaves}
        """The parameters and buffers that the model reads, by name."""
        self._telling = self._constants()

    def __reduce__(self) -> Any:
        """Leave the program behind where a symmetry is copied or sent elsewhere."""
        return type(None), ()

    def _constants(self) -> set[int]:
        """Return the constants that tell channels apart, and let go of the numbers of all."""
        refined = {wire for wire, classes in self._assembly.cells.items() if classes is None or len(classes) > 1}
        found = set()
        for value in self._types.program.values:
            if value.kind is Kind.CONSTANT:
                data, value.data = value.data, None
                for axis, kind in enumerate(self._types.axes[value.index]):
                    if refined & self._types.wires(kind):
                        same = data is not None and bool((data == data.narrow(axis, 0, 1)).all())
                        found |= set() if same else {value.index}
        return found

    @property
    def chains(self) -> Chains:
        """The instructions by what they touch; made when somebody asks."""
        if self._chains is None:
            self._chains = Chains(self._ground)
        return self._chains

    def __call__(self, symmetry: Symmetry, name: str, word: str) -> Why:
        """Return where a group acts on a parameter and why it does not elsewhere.

        Args:
            symmetry: What was found.
            name: A parameter or a buffer.
            word: The word for a group.
        """
        value = self.used.get(name)
        if value is None:
            constant = name in symmetry.constants
            because = "it is a constant of the model" if constant else "the model does not read it as it is"
            return Why(name, word, (), (Reason("everywhere", because),))
        acting = [f for f in symmetry.factors if name in f.tensors and (f.group.word == word or word in f.group.contains)]
        if word == "shift":
            return self._shift(value, acting)
        return self._linear(value, word, acting)

    # -- groups that act on wires ------------------------------------------------------------------

    def _linear(self, value: Value, word: str, acting: list[Factor]) -> Why:
        find: dict[str, Callable[[Value, Leaf, tuple[int, int, int]], Way | None]] = {
            "permutation": self._permutation,
            "scale": lambda v, w, at: self._exponent(v, (v.index, *at), sign=False),
            "sign": lambda v, w, at: self._exponent(v, (v.index, *at), sign=True),
            "rotation": self._mixing,
            "linear": self._linear_map,
            "planes": self._turning,
        }
        there: list[str] = []
        reasons: list[Reason] = []
        for axis, terms in enumerate(self._ground.terms(value)):
            for t, term in enumerate(terms):
                for k, wire in enumerate(term.wires):
                    if wire.size < 2:
                        continue
                    where = _where(axis, term.start if len(terms) > 1 else None, k if len(term.wires) > 1 else None, wire.size)
                    name = self._assembly.names.get(wire)
                    mine = [f for f in acting if f.linear and f.wire == name]
                    there += [_acts(f, word, where) for f in mine]
                    if mine:
                        continue
                    way = find[word](value, wire, (axis, t, k)) if word in find else None
                    if way is None and word in ("scale", "sign"):
                        there.append(f"{where}: {_SPANNED}")
                    else:
                        reasons.append(self._reason(where, way))
        others = [f for f in acting if not f.linear or f.wire.size == 1]
        there += [_acts(f, word, "as a whole") for f in others]
        if word in ("scale", "sign") and not there:
            more = self._whole(value, sign=word == "sign")
            if isinstance(more, str):
                there.append(more)
            elif all((more.because, more.chain) != (known.because, known.chain) for known in reasons):
                reasons.append(more)
        if not there and not reasons:
            reasons.append(Reason("everywhere", "it has no axis of more than one channel"))
        return Why(value.name, word, tuple(there), tuple(reasons))

    def _whole(self, value: Value, *, sign: bool) -> Reason | str:
        """Return why the scale of the whole parameter is fixed, or that it is not; of several blocks the first speaks."""
        try:
            way = self._exponent(value, (value.index, self._ground.cells(value)[0]), sign=sign)
        except TooManyCells:
            way = [], "it is cut into too many blocks to be followed"
        return f"as a whole: {_SPANNED}" if way is None else self._reason("as a whole", way)

    def _bearing(self, wire: Leaf) -> dict[int, Value]:
        types = self._types
        return {v.index: v for v in types.program.values if any(wire in types.wires(axis) for axis in types.axes[v.index])}

    def _pinned(self, value: Value, wire: Leaf) -> Way | None:
        """Return the way to what pins a wire."""
        pinning = {id(pin.step) for pin in self._types.pins if pin.step is not None and wire in leaves(pin.axis)}
        shown = self._chains_end(inputs=True)
        return self.chains.shortest(value, self._bearing(wire), lambda s: pins(s.code) if id(s.code) in pinning else "", shown)

    def _chains_end(self, *, inputs: bool) -> Callable[[Value], str]:
        def end(value: Value) -> str:
            output = self.chains.is_output(value)
            return holds(value, output=output) if output or (inputs and value.kind is Kind.INPUT) else ""

        return end

    def _permutation(self, value: Value, wire: Leaf, at: tuple[int, int, int]) -> Way | None:
        types = self._types
        if wire in types.pinned:
            return self._pinned(value, wire)
        if wire in types.planes:
            return self._to(value, wire, _turns)
        return self._to(value, wire, lambda s: _APART if any(v.index in self._telling for v in s.xs) else "")

    def _to(self, value: Value, wire: Leaf, at_step: Callable[[Step], str]) -> Way | None:
        return self.chains.shortest(value, self._bearing(wire), at_step, lambda _: "")

    def _mixing(self, value: Value, wire: Leaf, at: tuple[int, int, int]) -> Way | None:
        types = self._types
        if wire in types.pinned:
            return self._pinned(value, wire)
        if wire in types.planes:
            return self._to(value, wire, _turns)

        def apart(step: Step) -> str:
            values = [*touched(step)]
            axes = ((values[k], axis) for k, axis in kept_apart(step.template))
            if any(wire in types.wires(types.axes[v.index][axis]) for v, axis in axes):
                return mixes(step.code)
            told = (v for v in values if not v.real or (v.kind is Kind.CONSTANT and not self._ground.structure(v).zero))
            bears = any(wire in types.wires(axis) for v in told for axis in types.axes[v.index])
            return "numbers of single channels enter" if bears else ""

        return self._to(value, wire, apart)

    def _linear_map(self, value: Value, wire: Leaf, at: tuple[int, int, int]) -> Way | None:
        """Rotations may be there where no scale is."""
        return self._mixing(value, wire, at) or self._exponent(value, (value.index, *at), sign=False)

    def _turning(self, value: Value, wire: Leaf, at: tuple[int, int, int]) -> Way | None:
        if wire not in self._types.planes:
            return [], "no rotary embedding turns its channels"
        return self._pinned(value, wire) if wire in self._types.pinned else None

    def _exponent(self, value: Value, target: Any, *, sign: bool) -> Way | None:
        steps = self.chains.forcing(value, target, sign=sign)
        if not steps:
            return None
        ends = self._chains_end(inputs=True)
        for step in reversed(steps):
            if step.template.known[Relations][sign].zeros:
                return steps, lets(step.code)
            held = next((end for v in touched(step) if (end := ends(v))), "")
            if held:
                return steps, held
        return steps, _LOOP

    # -- translations --------------------------------------------------------------------------------

    def _shift(self, value: Value, acting: list[Factor]) -> Why:
        there = tuple(_acts(f, "shift", "as a whole" if len(f.bindings) == 1 else "with others") for f in acting)
        sums = Sums(self._ground)
        carriers = Carriers(self._ground, NullDirections(self._ground, sums), sums)
        reasons = []
        for cell, run, blocked in carriers.seen(value):
            reasons.append(self._reason(self._along(value, cell, run), self._seen(blocked)))
        if not there and not reasons:
            reasons.append(Reason("everywhere", "it is written again while the model runs, or cannot be followed"))
        return Why(value.name, "shift", there, tuple(dict.fromkeys(reasons)) if not there else ())

    def _along(self, value: Value, cell: Cell, run: tuple[Place, ...]) -> str:
        axes = sorted({axis for axis, _ in run})
        return f"constant but along {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"

    def _seen(self, blocked: Blocked) -> Way:
        if blocked.step is not None:
            return list(blocked.path), sees(blocked.step.code)
        output = self.chains.is_output(blocked.value)
        return list(blocked.path), holds(blocked.value, output=True) if output else "it is followed no further"

    # -- words ---------------------------------------------------------------------------------------

    def _reason(self, where: str, way: Way | None) -> Reason:
        if way is None:
            return Reason(where, _UNFIT)
        steps, because = way
        chain: list[Passage] = []
        before = -2
        for step in steps:
            origin = self._types.program.origin(step.code)
            passage = Passage(str(origin.target), origin.module, origin.source, does(step.code))
            if step.code.call == before and chain:
                passage = replace(passage, does=_joined(chain.pop().does, passage.does))
            chain.append(passage)
            before = step.code.call
        return Reason(where, because, tuple(chain))


def _joined(first: str, second: str) -> str:
    return first if first.endswith(second) else f"{first}, {second}"


def _turns(step: Step) -> str:
    return _TURNED if isinstance(step.code, Rotary) else ""


def _where(axis: int, start: int | None, place: int | None, size: int) -> str:
    part = "" if start is None else f", from {start}"
    level = "" if place is None else f", level {place}"
    return f"axis {axis}{part}{level} ({size} channels)"


def _acts(factor: Factor, word: str, where: str) -> str:
    within = "" if factor.group.word == word else " contains it"
    return f"{where}: yes, {factor.label} on {factor.wire.name}{within}"
