"""Which scales and signs of whole values are lost only to coarse pins.

The system of exponents is solved without the instructions in question, and then with each of them alone: what is free without
them and vanishes with one of them, that one costs. What vanishes only with several at once costs each of them.
"""

from collections.abc import Iterable, Sequence

from parasym.find.exponent import Exponents
from parasym.find.ground import Ground
from parasym.find.structure import Cell, TooManyCells
from parasym.rules.program import Instruction, Value

Place = tuple[int, Cell]


def lost_scales(ground: Ground, used: Sequence[Value], pins: Sequence[Instruction]) -> dict[int, set[int]]:
    """Return by the identity of an instruction the values that have a cell whose scale or sign vanishes for its sake.

    Args:
        ground: Types and structures.
        used: The parameters and buffers that are used.
        pins: The instructions.
    """
    if not pins:
        return {}
    cells = list(_cells(ground, used))
    without = {id(pin) for pin in pins}
    free = _free(ground, cells, without)
    lost = {id(pin): free - _free(ground, cells, without - {id(pin)}) for pin in pins}
    together = free - _free(ground, cells, set()) - set().union(*lost.values())
    return {pin: {place[0] for _, place in alone | together} for pin, alone in lost.items()}


def _cells(ground: Ground, used: Iterable[Value]) -> Iterable[Place]:
    for value in used:
        try:
            yield from ((value.index, cell) for cell in ground.cells(value))
        except TooManyCells:
            continue


def _free(ground: Ground, cells: Sequence[Place], without: set[int]) -> set[tuple[bool, Place]]:
    """Return the cells whose scale, or sign, some element moves if some instructions are left out."""
    exponents = Exponents(ground, without=without)
    return {(sign, place) for sign in (False, True) for place in cells if not exponents.vanishes(place, sign=sign)}
