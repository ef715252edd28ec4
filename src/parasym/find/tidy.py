"""Makes a program ready for inference: nothing dead, one leaf per tensor, constants that nothing shares."""

from dataclasses import replace

import torch

from parasym.rules.program import Cat, Contract, Fn, Kind, Pin, Pointwise, Program, Value, operands, result


def tidied(program: Program) -> Program:
    """Return a program without dead code, with one leaf per tensor, and with constants of its own for every instruction.

    Args:
        program: A lowered model.
    """
    out = _one_leaf_per_tensor(_without_dead_code(program))
    _own_constants(out)
    return out


def _without_dead_code(program: Program) -> Program:
    """Drop instructions whose results nobody reads. A pin reads: what an operation without a rule sees must not move."""
    alive = {v.index for v in program.outputs}
    alive |= {x.index for step in program.code if isinstance(step, Pin) for x in step.xs}
    kept = []
    changed = True
    while changed:  # loops may bring an earlier instruction back to life
        changed, kept = False, []
        for step in reversed(program.code):
            out = result(step)
            if isinstance(step, Pin):
                continue
            assert out is not None
            if out.index in alive or out.kind is Kind.STATE:
                kept.append(step)
                new = {x.index for x in operands(step)} - alive
                if new:
                    alive |= new
                    changed = changed or bool(program.loops)
    written = {id(step) for step in kept}
    code = [s for s in program.code if id(s) in written or isinstance(s, Pin)]
    return replace(program, code=code)


def _own_constants(program: Program) -> None:
    """Give every instruction copies of the constants it reads: what reads the same numbers need not move alike.

    A constant that is written into, or pinned by a rule that follows it no further, stays one.
    """
    kept = {out.index for step in program.code if (out := result(step)) is not None}
    kept |= {x.index for step in program.code if isinstance(step, Pin) for x in step.xs}
    used: set[int] = set()

    def own(x: Value) -> Value:
        if x.kind is not Kind.CONSTANT or x.data is None or x.index in kept:
            return x
        if x.index not in used:
            used.add(x.index)
            return x
        copy = Value(len(program.values), x.shape, Kind.CONSTANT, x.real, x.name, x.data)
        program.values.append(copy)
        return copy

    for step in program.code:
        if any(x.kind is Kind.CONSTANT for x in operands(step)):
            if isinstance(step, (Pointwise, Cat)):
                step.xs = tuple([own(x) for x in step.xs])
            elif not isinstance(step, Pin):
                step.x = own(step.x)
                if isinstance(step, Contract):
                    step.y = own(step.y)


def _one_leaf_per_tensor(program: Program) -> Program:
    """Write ``buffer + number`` as a sum where the buffer is also read in another way."""
    touched = (x for step in program.code for x in (*operands(step), result(step)))
    used = {x.index for x in touched if x is not None}
    leaves: dict[str, list[Value]] = {}
    for value in program.values:
        if value.leaf and value.index in used:
            leaves.setdefault(value.name, []).append(value)
    sums = []
    for values in leaves.values():
        if len(values) > 1:
            base = next((v for v in values if v.offset == 0), None)
            if base is None:
                base = Value(len(program.values), values[0].shape, Kind.STATE, name=values[0].name)
                program.values.append(base)
            for value in values:
                if value is not base:
                    number = Value(len(program.values), (), Kind.CONSTANT, data=torch.tensor(value.offset, dtype=torch.float64))
                    program.values.append(number)
                    value.kind = Kind.ACTIVATION
                    sums.append(Pointwise(Fn.ADD, (base, number), value, signs=(1, 1)))
    return replace(program, code=[*sums, *program.code])
