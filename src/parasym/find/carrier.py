"""A shift of a parameter where it has arrived: along which places it lies, and on which activations it is open."""

from fractions import Fraction
from typing import NamedTuple

from parasym.find.ground import Step
from parasym.find.structure import Cell, Place
from parasym.symmetry import Inverse, Via


class Open(NamedTuple):
    """A place of an activation against which an axis of a shift was summed.

    Attributes:
        value: Index of the activation.
        cell: Cell of the activation.
        place: The place.
    """

    value: int
    cell: Cell
    place: Place


class Carrier(NamedTuple):
    """A shift of a parameter where it has arrived, constant along every place that is not named.

    Attributes:
        source: Index of the parameter's value.
        cell: Cell of the parameter.
        run: Places of that cell along which the shift runs.
        at: Where every axis of the shift lies now.
        sizes: Their lengths.
        riders: Where the other places of the activations that it was summed against lie now.
        times: What it was multiplied by; 0 if nothing is left of it.
        through: The weights it went through.
    """

    source: int
    cell: Cell
    run: tuple[Place, ...]
    at: tuple[Place | Open, ...]
    sizes: tuple[int, ...]
    riders: tuple[tuple[Open, Place], ...] = ()
    times: int | Fraction = 1
    through: tuple[Via, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """The places along which it is not constant."""
        own = tuple([p for p in self.at if not isinstance(p, Open)])
        return (*own, *[place for _, place in self.riders]) if self.riders else own

    @property
    def gained(self) -> bool:
        """Whether it lies along the inverse of a gain that it has not met yet."""
        return len(self.through) == 1 and isinstance(self.through[0], Inverse)


def renamed(c: Carrier, old: int, new: int, times: Fraction) -> Carrier:
    """Return a shift that is open on ``times`` another value as one open on that value.

    Args:
        c: The shift.
        old: Index of the value that it is open on.
        new: Index of the other.
        times: The number.
    """
    at = tuple(p._replace(value=new) if isinstance(p, Open) and p.value == old else p for p in c.at)
    riders = sorted((p._replace(value=new) if p.value == old else p, place) for p, place in c.riders)
    return c._replace(at=at, riders=tuple(riders), times=c.times * times)


def unrearranged(c: Carrier, step: Step, index: int) -> Carrier | None:
    """Return a shift that is open on a rearranged activation as one open on what was rearranged.

    Args:
        c: The shift.
        step: The reshape or permutation.
        index: Index of its result.
    """
    opens = [p for p in (*c.at, *(opened for opened, _ in c.riders)) if isinstance(p, Open) and p.value == index]
    links = [link for link in step.template.links(0) if link.out_cell == opens[0].cell]
    if len(links) != 1 or any(p.cell != opens[0].cell for p in opens):
        return None
    back = {after: before for before, after in links[0].places.items()}
    if len(back) != len(links[0].places) or any(p.place not in back for p in opens):
        return None
    new = {p: Open(step.xs[0].index, links[0].x_cell, back[p.place]) for p in opens}
    at = tuple(new[p] if isinstance(p, Open) and p in new else p for p in c.at)
    return c._replace(at=at, riders=tuple(sorted((new.get(opened, opened), place) for opened, place in c.riders)))
