"""A first look at sums: do two of their terms have the same form, a few operations deep?

Whether branches can change places is decided on fingerprints of the whole program. Most models have no two branches that
could, and a look at the last operations of every summand tells.
"""

from parasym.find.ground import Ground
from parasym.rules.program import Contract, Fn, Instruction, Pointwise, Reduce, Reshape, Value, operands

_DEPTH = 9


def may_have_equal_branches(ground: Ground) -> bool:
    """Return whether some sum may have two summands of the same form; ``False`` is certain.

    Args:
        ground: Types and places.
    """
    program = ground.types.program
    if any(not ground.single(v) for step in program.code if isinstance(step, (Contract, Reduce)) for v in operands(step)):
        return True  # a sum over blocks has summands of its own
    made = {step.out.index: step.code for step in ground.steps if step.out is not None}
    forms = _Forms(made)
    for step in program.code:
        if isinstance(step, Pointwise) and step.fn is Fn.ADD:
            inner = [x for x, _ in forms.summands(step) if not forms.is_leaf(x)]
            if len(inner) > 1 and len({forms.of(x, _DEPTH) for x in inner}) < len(inner):
                return True
    return False


class _Forms:
    """The forms of values, as deep as asked for: equal fingerprints have equal forms.

    Args:
        made: The instruction that wrote each value.
    """

    def __init__(self, made: dict[int, Instruction]) -> None:
        self._made = made
        self._known: dict[tuple[int, int], int] = {}

    def of(self, value: Value, depth: int) -> int:
        """Return the form of a value, so many operations deep."""
        key = (value.index, depth)
        if key not in self._known:
            self._known[key] = self._of(value, depth)
        return self._known[key]

    def is_leaf(self, value: Value) -> bool:
        """Whether a value is a parameter, a constant or an input, perhaps reshaped."""
        while isinstance(step := self._made.get(value.index), Reshape):
            value = step.x
        return step is None

    def summands(self, step: Pointwise) -> list[tuple[Value, int]]:
        """Return the terms of a sum with their signs; a sum of sums is one sum."""
        out: list[tuple[Value, int]] = []
        for x, sign in zip(step.xs, step.signs, strict=True):
            inner = self._made.get(x.index)
            nested = isinstance(inner, Pointwise) and inner.fn is Fn.ADD and x.shape == step.out.shape and sign == 1
            out += self.summands(inner) if nested and isinstance(inner, Pointwise) else [(x, sign)]
        return out

    def _of(self, value: Value, depth: int) -> int:
        step = self._made.get(value.index)
        if step is None:
            return hash(value.leaf)  # not its shape: a part of it may be like a part of another
        if not depth:
            return 0
        if isinstance(step, Pointwise) and step.fn is Fn.ADD:
            return hash(("add", tuple(sorted((self.of(x, depth - 1), sign) for x, sign in self.summands(step)))))
        parts = [self.of(x, depth - 1) for x in operands(step)]
        loose = isinstance(step, Contract) or (isinstance(step, Pointwise) and step.fn is Fn.MUL)
        return hash((type(step).__name__, tuple(sorted(parts) if loose else parts)))
