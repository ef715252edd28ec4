"""Parameters some of whose entries are constants: what a program says of them, and the program in which all of them are free."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from parasym.rules.program import Cat, Contract, Fn, Instruction, Kind, Pin, Pointwise, Program, Value, operands


@dataclass(frozen=True)
class Masked:
    """A parameter of which only some entries are read.

    Attributes:
        tensor: Its name.
        free: Booleans of its shape, true where an entry is read.
        constants: What is read instead, zero elsewhere; a lone zero if that is all.
    """

    tensor: str
    free: Tensor
    constants: Tensor


def unmasked(program: Program) -> tuple[Program, dict[str, Masked]]:
    """Return the program in which parameters stand in place of ``mask * parameter + constants``, and what was masked.

    Args:
        program: A lowered model. Not modified.
    """
    masked: dict[str, Masked] = {}
    stands_for: dict[int, Value] = {}
    code: list[Instruction] = []
    for step in program.code:
        product = _product(step)
        total = _sum(step, stands_for) if stands_for else None
        if product is not None:
            x, free = product
            masked.setdefault(x.name, Masked(x.name, free, torch.zeros(())))
            stands_for[step.out.index] = x  # pyright: ignore[reportAttributeAccessIssue]
        elif total is not None and not bool(((total[1] != 0) & masked[total[0].name].free).any()):
            x, constants = total
            masked[x.name] = replace(masked[x.name], constants=constants)
            stands_for[step.out.index] = x  # pyright: ignore[reportAttributeAccessIssue]
        else:
            code.append(_instead(step, stands_for))
    return replace(program, code=code), masked


def _product(step: Instruction) -> tuple[Value, Tensor] | None:
    """Return the parameter and the mask of a product of the two."""
    if not isinstance(step, Pointwise) or step.fn is not Fn.MUL or len(step.xs) != 2 or step.degrees != (1, 1):
        return None
    for x, mask in (step.xs, step.xs[::-1]):
        data = mask.data
        if x.kind is Kind.PARAMETER and mask.kind is Kind.CONSTANT and data is not None and x.shape == mask.shape:
            zeros_and_ones = data.dtype is torch.bool or bool(((data == 0) | (data == 1)).all())
            if x.shape and zeros_and_ones and not bool(data.all()):
                return x, data.bool()
    return None


def _sum(step: Instruction, stands_for: dict[int, Value]) -> tuple[Value, Tensor] | None:
    """Return the parameter and the constants of a sum of a masked parameter with constants."""
    if not isinstance(step, Pointwise) or step.fn is not Fn.ADD or len(step.xs) != 2 or step.signs != (1, 1):
        return None
    for x, y in (step.xs, step.xs[::-1]):
        parameter = stands_for.get(x.index)
        if parameter is not None and y.kind is Kind.CONSTANT and y.data is not None and x.shape == y.shape:
            return parameter, y.data
    return None


def _instead(step: Instruction, stands_for: dict[int, Value]) -> Instruction:
    """Return an instruction with other operands."""
    if not any([x.index in stands_for for x in operands(step)]):
        return step

    def other(x: Value) -> Value:
        return stands_for.get(x.index, x)

    if isinstance(step, (Pointwise, Cat, Pin)):
        return replace(step, xs=tuple([other(x) for x in step.xs]))
    changes: dict[str, Any] = {"x": other(step.x)}
    if isinstance(step, Contract):
        changes["y"] = other(step.y)
    return replace(step, **changes)
