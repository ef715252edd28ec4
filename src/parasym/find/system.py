"""Homogeneous linear equations, solved one by one by substitution, over the rationals or over GF(2)."""

from fractions import Fraction

Expression = dict[int, int | Fraction]


class LinearSystem:
    """Unknowns with the equations imposed so far.

    Every equation removes the unknown of the highest rank, so that what stays free is what was
    created with the lowest. Solving is by sparse substitution: the systems that models give are nearly triangular.

    Args:
        modulus: 2 for GF(2), 0 for the rationals.
    """

    def __init__(self, modulus: int = 0) -> None:
        self.modulus = modulus
        self.rank: list[tuple[int, int]] = []
        self._solved: dict[int, Expression] = {}

    def unknown(self, rank: int = 0) -> int:
        """Return a new unknown; unknowns of high rank are eliminated first."""
        self.rank.append((rank, len(self.rank)))
        return len(self.rank) - 1

    def reduce(self, expression: Expression) -> Expression:
        """Return an expression in free unknowns only."""
        if len(expression) == 1:
            ((name, factor),) = expression.items()
            if name not in self._solved and not self.modulus:
                return expression
            return self._scale(self._value(name), factor)
        out: Expression = {}
        for name, factor in expression.items():
            self._accumulate(out, self._value(name), factor)
        return out

    def equate(self, expression: Expression) -> None:
        """Impose that an expression is zero."""
        rest = self.reduce(expression)
        if not rest:
            return
        pivot = max(rest, key=self.rank.__getitem__)
        factor = rest.pop(pivot)
        self._solved[pivot] = {name: self._divide(-c, factor) for name, c in rest.items()}

    def free(self, names: list[int]) -> list[int]:
        """Return the free unknowns on which the given ones depend, in order of creation."""
        return sorted({base for name in names for base in self.reduce({name: 1})})

    def _value(self, name: int) -> Expression:
        chain = []
        known = self._solved.get(name)
        if known is None:
            return {name: 1}
        chain.append(name)
        pending = [n for n in known if n in self._solved]
        if pending:
            known = {}
            for n, c in self._solved[name].items():
                self._accumulate(known, self._value(n), c)
            self._solved[name] = known
        return known

    def _accumulate(self, out: Expression, other: Expression, factor: int | Fraction) -> None:
        for name, c in other.items():
            value = out.get(name, 0) + c * factor
            if self.modulus:
                value %= self.modulus
            if value:
                out[name] = value
            else:
                out.pop(name, None)

    def _scale(self, expression: Expression, factor: int | Fraction) -> Expression:
        out: Expression = {}
        self._accumulate(out, expression, factor)
        return out

    def _divide(self, value: int | Fraction, factor: int | Fraction) -> int | Fraction:
        if self.modulus:
            return value % self.modulus
        out = Fraction(value) / factor
        return int(out) if out.denominator == 1 else out
