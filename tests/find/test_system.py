"""Sets of equals and substitution give the solutions that elimination on a dense matrix gives."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parasym.find.system import LinearSystem

EQUATIONS = st.lists(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from([-1, 1, 2])), min_size=1, max_size=3, unique_by=lambda t: t[0]),
    max_size=9,
)


def solved(equations: list[list[tuple[int, int]]], modulus: int) -> LinearSystem:
    system = LinearSystem(modulus)
    for k in range(7):
        system.unknowns(1, k % 2)
    for equation in equations:
        if [c for _, c in equation] in ([1, -1], [-1, 1]):
            system.same(equation[0][0], equation[1][0])
        elif len(equation) == 1 and equation[0][1] == 1:
            system.vanish(equation[0][0])
        else:
            system.equate(dict(equation))
    return system


@settings(max_examples=200, deadline=None)
@given(EQUATIONS)
def test_rational_solutions_solve_the_equations_and_are_all(equations):
    system = solved(equations, 0)
    values = [system.reduce({k: 1}) for k in range(7)]
    free = sorted({name for value in values for name in value})
    matrix = torch.zeros(len(equations), 7, dtype=torch.float64)
    for row, equation in enumerate(equations):
        for name, factor in equation:
            matrix[row, name] += factor
        total: dict[int, Fraction] = {}
        for name, factor in equation:
            for base, c in values[name].items():
                total[base] = total.get(base, Fraction(0)) + Fraction(c) * factor
        assert not any(total.values())
    assert len(free) == 7 - int(torch.linalg.matrix_rank(matrix)) if equations else len(free) == 7
    assert all(system.is_zero(k) == (not values[k]) for k in range(7))


@settings(max_examples=200, deadline=None)
@given(EQUATIONS)
def test_binary_solutions_are_as_many_as_counted_by_trying_all(equations):
    system = solved(equations, 2)
    free = {name for k in range(7) for name in system.reduce({k: 1})}
    every = [[(n >> k) & 1 for k in range(7)] for n in range(128)]
    count = sum(all(sum(bits[name] * factor for name, factor in eq) % 2 == 0 for eq in equations) for bits in every)
    assert 2 ** len(free) == count


@pytest.mark.parametrize("modulus", [0, 2])
def test_the_older_of_two_equals_stays(modulus: int):
    system = LinearSystem(modulus)
    parameter, buffer, activation = (system.unknowns(1, rank) for rank in range(3))
    system.same(activation, buffer)
    system.same(buffer, parameter)
    assert [system.reduce({x: 1}) for x in (parameter, buffer, activation)] == [{parameter: 1}] * 3
