"""Homogeneous linear equations, solved one by one by substitution, over the rationals or over GF(2)."""

from collections.abc import Sequence
from fractions import Fraction

Expression = dict[int, int | Fraction]


class LinearSystem:
    """Unknowns with the equations imposed so far.

    Every equation removes the unknown of the highest rank, so that what stays free is what was
    created with the lowest. Most equations say that two unknowns are the same, or one of them zero: those are kept as
    sets of equals, in almost constant time each. The others are solved by sparse substitution: the systems that models
    give are nearly triangular.

    Args:
        modulus: 2 for GF(2), where every factor is 1, or 0 for the rationals.
    """

    def __init__(self, modulus: int = 0) -> None:
        self.modulus = modulus
        self.rank: list[int] = []
        self._equal: list[int] = []
        self._solved: dict[int, Expression] = {}
        self._top: dict[int, int] = {}
        """For every solved unknown a bound of the ranks of what it is made of; what replaces an unknown ranks below it."""

    def unknowns(self, count: int, rank: int = 0) -> int:
        """Return the first of new unknowns with consecutive numbers; those of high rank go first, among equals the younger."""
        first = len(self.rank)
        names = range(first, first + count)
        self._equal += names
        self.rank += [(rank << 40) + name for name in names]
        return first

    def vanish(self, name: int) -> None:
        """Impose that an unknown is zero."""
        name = self._root(name)
        if name in self._solved:
            self._solve(self._value(name))
        else:
            self._settle(name, {})

    def same(self, a: int, b: int) -> None:
        """Impose that two unknowns are equal."""
        equal = self._equal
        if equal[a] != a:
            a = self._root(a)
        if equal[b] != b:
            b = self._root(b)
        if a == b:
            return
        if a in self._solved:
            self._same_as_solved(b, a)
        elif b in self._solved:
            self._same_as_solved(a, b)
        elif self.rank[a] < self.rank[b]:
            equal[b] = a
        else:
            equal[a] = b

    def _same_as_solved(self, name: int, solved: int) -> None:
        """Impose that a set of equals is another one that is known in free unknowns."""
        if name not in self._solved and self.rank[name] > self._top[solved]:
            self._equal[name] = solved
        else:
            difference = dict(self._value(name))
            self._accumulate(difference, self._value(solved), -1)
            self._solve(difference)

    def product(self, terms: Sequence[tuple[int, int | Fraction]], out: int | None) -> None:
        """Impose that unknowns, times factors, add up to another one, or to zero."""
        total: Expression = {}
        for name, factor in terms:
            self._accumulate(total, self.value(name), factor)
        if out is None:
            self._solve(total)
            return
        out = self._root(out)
        if len(total) == 1 and 1 in total.values():
            self.same(next(iter(total)), out)
        elif out not in self._solved and all([self.rank[out] > self.rank[name] for name in total]):
            self._settle(out, total)
        else:
            self._accumulate(total, self.value(out), -1)
            self._solve(total)

    def equate(self, expression: Expression) -> None:
        """Impose that an expression is zero."""
        self._solve(self.reduce(expression))

    def is_zero(self, name: int) -> bool:
        """Return whether an unknown is known to be zero."""
        root = self._root(name)
        return root in self._solved and not self._value(root)

    def value(self, name: int) -> Expression:
        """Return an unknown in free unknowns only; not to be changed."""
        return self._value(self._root(name))

    def reduce(self, expression: Expression) -> Expression:
        """Return an expression in free unknowns only."""
        out: Expression = {}
        for name, factor in expression.items():
            self._accumulate(out, self.value(name), factor)
        return out

    def _root(self, name: int) -> int:
        equal = self._equal
        while equal[name] != name:
            equal[name] = equal[equal[name]]
            name = equal[name]
        return name

    def _solve(self, rest: Expression) -> None:
        if not rest:
            return
        pivot = max(rest, key=self.rank.__getitem__)
        factor = rest[pivot]
        whole = factor in (1, -1)
        rest = {n: self._mod(-c * factor) if whole else self._divide(-c, factor) for n, c in rest.items() if n != pivot}
        self._settle(pivot, rest)

    def _settle(self, name: int, value: Expression) -> None:
        self._solved[name] = value
        self._top[name] = max([self.rank[n] for n in value], default=-1)

    def _value(self, root: int) -> Expression:
        """Return what a set of equals is in free unknowns."""
        known = self._solved.get(root)
        if known is None:
            return {root: 1}
        equal, solved = self._equal, self._solved
        for n in known:
            if equal[n] != n or n in solved:
                break
        else:
            return known
        fresh: Expression = {}
        for n, c in known.items():
            self._accumulate(fresh, self.value(n), c)
        solved[root] = fresh
        return fresh

    def _accumulate(self, out: Expression, other: Expression, factor: int | Fraction) -> None:
        if not out and factor == 1:
            out.update(other)
            return
        if self.modulus:
            if factor % 2:
                for name in other:
                    if out.pop(name, None) is None:
                        out[name] = 1
            return
        for name, c in other.items():
            old = out.get(name)
            new = c if factor == 1 else c * factor
            value = new if old is None else old + new
            if value:
                out[name] = value
            else:
                out.pop(name, None)

    def _mod(self, value: int | Fraction) -> int | Fraction:
        return value % self.modulus if self.modulus else value

    def _divide(self, value: int | Fraction, factor: int | Fraction) -> int | Fraction:
        if self.modulus:
            return value % self.modulus
        out = Fraction(value) / factor
        return int(out) if out.denominator == 1 else out
