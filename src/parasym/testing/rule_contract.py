"""The contract of a rule: what it lets through is true, is what was derived, and is all there is."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import wraps
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from parasym.core import Params
from parasym.find import find
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator, evaluator
from parasym.functional.outputs import output_error
from parasym.groups import AbstractGroup, GeneralLinear, Orthogonal, Permutation, PositiveScaling, SignFlip
from parasym.rules import BY_NAME, Rule
from parasym.symmetry import Binding, Factor, Slot, Symmetry, Wire, group_name
from parasym.testing.contract_error import ContractError, require
from parasym.verify import Report, verify
from parasym.zoo import generic_params

Bearing = tuple[str, int | Slot, int]
"""A tensor, the axis (or a part of one) on which it bears a wire, and the power of the action: 1, or -1 for the dual."""

HIDDEN: tuple[Bearing, ...] = (("first.weight", 0, 1), ("first.bias", 0, 1), ("second.weight", 1, -1))
"""The wire between two linear layers called ``first`` and ``second``."""

SMALLEST_CHANGE = 1e-3
_GROUPS: tuple[type[AbstractGroup], ...] = (Permutation, SignFlip, PositiveScaling, Orthogonal, GeneralLinear)
_IMPLIED: dict[type[AbstractGroup], set[type[AbstractGroup]]] = {
    Orthogonal: {Permutation, SignFlip},
    GeneralLinear: {Permutation, SignFlip, PositiveScaling, Orthogonal},
}


def assert_rule_contract(
    rule: Rule,
    model: nn.Module,
    args: tuple[Any, ...],
    *,
    name: str = "",
    expected: Sequence[str],
    wire: Sequence[Bearing] = HIDDEN,
    missing: Sequence[str] = (),
    rest: int | None = 0,
    uncovered: bool = False,
    generator: torch.Generator | None = None,
) -> Report:
    r"""Check a rule on a small model that uses its operation.

    * *Used*: the rule is called, and nothing is left uncovered.
    * *Sound*: every element of what ``find`` returns keeps :math:`f(x; g\theta) = f(x; \theta)` in float64.
    * *Expected*: the factors are those derived by hand; none is lost by the capture that ``find`` prefers, which may
      see more, as it takes some operations apart.
    * *Tight*: the function changes by more than 1e-3 under every one of permutations, signs, scalings, rotations
      and invertible maps of ``wire`` that is not claimed, and no more than ``rest`` directions of the null space of
      :math:`\partial f / \partial \theta` are left unexplained.

    Args:
        rule: The rule; it need not be in the table, and replaces the one that is.
        model: A model in double precision that uses the operation. Not modified.
        args: Its inputs.
        name: Which of the rule's operations it uses; the first if empty.
        expected: The factors, as ``parasym.symmetry.group_name`` writes them, in any order.
        wire: Where the wire sits whose larger groups must fail; empty to try none.
        missing: Groups of that wire, such as ``signs(5)``, that hold for this operation although no rule says so.
        rest: How many null directions are not explained; ``None`` not to count.
        uncovered: Whether the rule is expected to refuse.
        generator: Source of randomness; seed 0 if ``None``.

    Returns:
        The report of ``verify``.

    Raises:
        ContractError: If one of these fails; the message says which, with what was found.

    Example:
        >>> from parasym.rules.program import Fn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.first, self.second = nn.Linear(4, 5), nn.Linear(5, 3)
        ...     def forward(self, x):
        ...         return self.second(self.first(x).relu())
        >>> net, x = Net().double(), torch.randn(12, 4, dtype=torch.float64)
        >>> assert_rule_contract(BY_NAME["relu"], net, (x,), expected=("S(5)", "scale(5)")).holds
        'yes'
        >>> linear = Rule(("relu",), lambda b, x: b.pointwise(Fn.LINEAR, x))
        >>> assert_rule_contract(linear, net, (x,), expected=("GL(5)", "shift(5)"))
        Traceback (most recent call last):
        parasym.testing.contract_error.ContractError: relu: not sound, the outputs change by ...
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    name = name or rule.names[0]
    with _recorded(name, rule) as calls, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own, about attributes of recurrent layers
        symmetry = quick = find(model, args)
        if not calls:  # taken apart by the fast capture: export keeps operations as they are written
            exported = torch.export.export(model, args, strict=False)
            symmetry = find(exported)
            require(bool(calls), f"{name}: not used: the graph has {_operations(exported)}.")
    refused = [f"{u.operation} ({u.reason})" for u in symmetry.uncovered]
    require(bool(refused) == uncovered, f"{name}: uncovered operations: {refused or 'none, but one was expected'}.")
    report = verify(model, symmetry, args, generator=generator, complete=rest is not None)
    same = quick.factors == symmetry.factors
    for result in (report, report if same else verify(model, quick, args, generator=generator, complete=False)):
        blamed = [row.name for row in result.rows if row.holds != "yes"]
        require(result.holds == "yes", f"{name}: not sound, the outputs change by {result.error:.3g} under {blamed}.")
    _check_expected(name, symmetry, expected)
    _check_not_less(name, quick, symmetry)
    _check_count(name, report, rest)
    params = generic_params(model, generator=generator)
    run, call = evaluator(model, torch.float64, seed=0)[0], Call(args)
    run = replace(run, follows=bool(run.randomness(params, call)[0]))
    for group in _larger(symmetry, wire, params):
        claim = _claim(group, wire, params)
        change = max(_change(run, claim, params, call, generator) for _ in range(5))
        holds = group_name(claim.factors[0])
        if holds in missing:
            require(change < 1e-9, f"{name}: {holds} is said to hold unclaimed, but changes the function by {change:.3g}.")
        else:
            require(change > SMALLEST_CHANGE, f"{name}: not tight, {holds} changes the function by {change:.3g} only.")
    return report


@contextmanager
def _recorded(name: str, rule: Rule) -> Iterator[list[str]]:
    calls: list[str] = []

    def record(lower: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(lower)
        def recorded(*args: object, **kwargs: object) -> object:
            calls.append(name)
            return lower(*args, **kwargs)

        return recorded

    with patch.dict(BY_NAME, {name: Rule((name,), record(rule.lower))}):
        yield calls


def _operations(program: torch.export.ExportedProgram) -> list[str]:
    return sorted({str(node.target) for node in program.graph.nodes if node.op == "call_function"})


def _check_expected(name: str, symmetry: Symmetry, expected: Sequence[str]) -> None:
    found, wanted = _names(symmetry), Counter(expected)
    missing, surplus = sorted((wanted - found).elements()), sorted((found - wanted).elements())
    require(found == wanted, f"{name}: not what was derived: missing {missing}, surplus {surplus}.")


def _check_not_less(name: str, quick: Symmetry, symmetry: Symmetry) -> None:
    lost = sorted((_names(symmetry) - _names(quick)).elements())
    larger = quick.order >= symmetry.order and quick.dimension >= symmetry.dimension
    require(not lost or larger, f"{name}: lost by the capture that `find` prefers: {lost}.")


def _names(symmetry: Symmetry) -> Counter[str]:
    return Counter(group_name(factor) for factor in symmetry.factors)


def _check_count(name: str, report: Report, rest: int | None) -> None:
    if rest is None:
        return
    count = report.completeness
    if count is None:
        raise ContractError(f"{name}: null directions were not counted: {report.notes}.")
    left = count.nullity - count.explained
    require(left == rest, f"{name}: {left} of {count.nullity} null directions are not explained, expected {rest}.")


def _larger(symmetry: Symmetry, wire: Sequence[Bearing], params: Params) -> Iterator[AbstractGroup]:
    """Yield the groups of the wire that nothing claims."""
    if not wire:
        return
    tensor, slot = wire[0][0], _slots(wire, params)[0]
    size = slot.sizes[slot.place]
    claimed: set[type[AbstractGroup]] = set()
    for factor in symmetry.factors:
        whole = tensor in factor.tensors and factor.group.length == size and isinstance(factor.bindings[0], Binding)
        if whole and not factor.over and not getattr(factor.group, "cells", ()):
            claimed |= {type(factor.group)} | _IMPLIED.get(type(factor.group), set())
    yield from (kind(size) for kind in _GROUPS if kind not in claimed)


def _slots(wire: Sequence[Bearing], params: Params) -> list[Slot]:
    def slot(tensor: str, where: int | Slot) -> Slot:
        return where if isinstance(where, Slot) else Slot.whole(where, params[tensor].shape[where])

    return [slot(tensor, where) for tensor, where, _ in wire]


def _claim(group: AbstractGroup, wire: Sequence[Bearing], params: Params) -> Symmetry:
    powers = (Fraction(power) for _, _, power in wire)
    slots = _slots(wire, params)
    bindings = tuple(Binding(b[0], slot, power=power) for b, slot, power in zip(wire, slots, powers, strict=True))
    return Symmetry((Factor(group, Wire(wire[0][0], group.length), (), bindings),), ())


def _change(run: Evaluator, claim: Symmetry, params: Params, call: Call, generator: torch.Generator) -> float:
    """Return how much one element changes the outputs, relative to the largest."""
    (factor,) = claim.factors
    moved = factor.act(factor.group.sample(generator=generator, dtype=torch.float64), params)
    with torch.no_grad():
        return output_error(run(params, call), run(moved, call))
