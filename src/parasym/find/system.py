"""Homogeneous linear equations, solved one by one by substitution, over the rationals or over GF(2)."""

from fractions import Fraction

Expression = dict[int, int | Fraction]

ZERO = -1
"""The unknown that is always zero."""


class LinearSystem:
    """Unknowns with the equations imposed so far.

    Every equation removes the unknown of the highest rank, so that what stays free is what was
    created with the lowest. Most equations say that two unknowns are the same, or one of them zero: those are kept as
    sets of equals, in almost constant time each. The others are solved by sparse substitution: the systems that models
    give are nearly triangular.

    Args:
        modulus: 2 for GF(2), 0 for the rationals.
    """

    def __init__(self, modulus: int = 0) -> None:
        self.modulus = modulus
        self.rank: list[int] = []
        self._equal: list[int] = []
        self._solved: dict[int, Expression] = {}

    def unknown(self, rank: int = 0) -> int:
        """Return a new unknown; unknowns of high rank are eliminated first, among equals the younger."""
        name = len(self.rank)
        self.rank.append((rank << 40) + name)
        self._equal.append(name)
        return name

    def same(self, a: int, b: int) -> None:
        """Impose that two unknowns are equal."""
        a, b = self._root(a), self._root(b)
        if a == b:
            return
        solved = self._solved
        if ZERO in (a, b):
            name = max(a, b)
            if name in solved:
                self._solve(self._value(name))
            else:
                solved[name] = {}
        elif a in solved:
            self._same_as_solved(b, a)
        elif b in solved:
            self._same_as_solved(a, b)
        elif self.rank[a] < self.rank[b]:
            self._equal[b] = a
        else:
            self._equal[a] = b

    def _same_as_solved(self, name: int, solved: int) -> None:
        """Impose that a set of equals is another one that is known in free unknowns."""
        if name not in self._solved and all(self.rank[name] > self.rank[n] for n in self._value(solved)):
            self._equal[name] = solved
        else:
            self._solve(self._difference(name, solved))

    def equate(self, expression: Expression) -> None:
        """Impose that an expression is zero."""
        self._solve(self.reduce(expression))

    def is_zero(self, name: int) -> bool:
        """Return whether an unknown is known to be zero."""
        root = self._root(name)
        return root == ZERO or (root in self._solved and not self._value(root))

    def reduce(self, expression: Expression) -> Expression:
        """Return an expression in free unknowns only."""
        out: Expression = {}
        for name, factor in expression.items():
            self._accumulate(out, self._value(self._root(name)), factor)
        return out

    def _root(self, name: int) -> int:
        if name == ZERO:
            return ZERO
        equal = self._equal
        while equal[name] != name:
            equal[name] = equal[equal[name]]
            name = equal[name]
        return name

    def _difference(self, a: int, b: int) -> Expression:
        out = dict(self._value(a))
        self._accumulate(out, self._value(b), -1)
        return out

    def _solve(self, rest: Expression) -> None:
        if not rest:
            return
        rest = dict(rest)
        pivot = max(rest, key=self.rank.__getitem__)
        factor = rest.pop(pivot)
        self._solved[pivot] = {name: self._divide(-c, factor) for name, c in rest.items()}

    def _value(self, root: int) -> Expression:
        """Return what a set of equals is in free unknowns."""
        if root == ZERO:
            return {}
        known = self._solved.get(root)
        if known is None:
            return {root: 1}
        if any(self._equal[n] != n or n in self._solved for n in known):
            fresh: Expression = {}
            for n, c in known.items():
                self._accumulate(fresh, self._value(self._root(n)), c)
            known = self._solved[root] = fresh
        return known

    def _accumulate(self, out: Expression, other: Expression, factor: int | Fraction) -> None:
        for name, c in other.items():
            old = out.get(name)
            new = c if factor == 1 else c * factor
            value = new if old is None else old + new
            if self.modulus:
                value %= self.modulus
            if value:
                out[name] = value
            else:
                out.pop(name, None)

    def _divide(self, value: int | Fraction, factor: int | Fraction) -> int | Fraction:
        if self.modulus:
            return value % self.modulus
        if factor in (1, -1):
            return value * factor
        out = Fraction(value) / factor
        return int(out) if out.denominator == 1 else out
