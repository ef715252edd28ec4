"""A symmetry as tables."""

from rich.console import RenderableType

from parasym.report.number import big_integer
from parasym.report.table import Columns, Table, rich_table
from parasym.symmetry import Factor, Refuted, SelfCheck, Symmetry, group_name

MOST_TENSORS = 4


def factor_table(symmetry: Symmetry) -> Table:
    """Return one row per factor: group, wire, size, order or dimension, tensors.

    Args:
        symmetry: Any symmetry.
    """
    rows = tuple(_row(factor) for factor in symmetry.factors)
    title = f"Symmetry: order {big_integer(symmetry.order)}, dimension {symmetry.dimension}"
    note = "" if rows else "No factor: the symmetry is trivial, or nothing could be resolved."
    columns: Columns = (
        ("group", "left"),
        ("wire", "left"),
        ("size", "right"),
        ("order", "right"),
        ("dimension", "right"),
        ("acts on", "left"),
    )
    return Table(title, columns, rows, note)


def uncovered_table(symmetry: Symmetry) -> Table:
    """Return one row per operation without a rule.

    Args:
        symmetry: Any symmetry.
    """
    rows = tuple((u.operation, u.module or "the model", u.source, u.reason) for u in symmetry.uncovered)
    columns: Columns = (("operation", "left"), ("module", "left"), ("source", "left"), ("what was pinned", "left"))
    return Table("Uncovered operations (their wires are pinned)", columns, rows)


def coarse_table(symmetry: Symmetry) -> Table:
    """Return one row per pin that a finer rule might do without.

    Args:
        symmetry: Any symmetry.
    """
    rows = tuple(
        (c.operation, c.module or "the model", c.source, c.reason, str(len(c.tensors)), str(c.entries), shortened(c.tensors))
        for c in symmetry.coarse
    )
    columns: Columns = (
        ("operation", "left"),
        ("module", "left"),
        ("source", "left"),
        ("why it is pinned", "left"),
        ("tensors", "right"),
        ("numbers", "right"),
        ("may cost", "left"),
    )
    return Table("Coarse pins (a finer rule might find more)", columns, rows)


def symmetry_tables(symmetry: Symmetry) -> tuple[RenderableType, ...]:
    """Return what a terminal shows of a symmetry: factors, what is uncovered, coarse or pinned, what came of trying it.

    Args:
        symmetry: Any symmetry.
    """
    shown: list[RenderableType] = [rich_table(factor_table(symmetry))]
    shown.append(rich_table(uncovered_table(symmetry)) if symmetry.uncovered else "Uncovered operations: none")
    shown.append(rich_table(coarse_table(symmetry)) if symmetry.coarse else "Coarse pins: none")
    if symmetry.pinned:
        shown.append(f"Pinned parameters ({len(symmetry.pinned)}): {shortened(symmetry.pinned, 12)}")
    else:
        shown.append("Pinned parameters: none")
    if symmetry.tied:
        shown.append("Tied parameters: " + ", ".join(f"{name} = {first}" for name, first in symmetry.tied))
    if symmetry.law:
        shown.append(f"In law: the model draws random numbers ({', '.join(symmetry.law)})")
    shown += [_sentence(factor) for factor in symmetry.refuted]
    if symmetry.self_check is not None:
        shown.append(_sentence(symmetry.self_check))
    return tuple(shown)


def shortened(names: tuple[str, ...], most: int = MOST_TENSORS) -> str:
    """Return the first names, and how many more there are.

    Args:
        names: Names, in order.
        most: How many to write out.

    Example:
        >>> shortened(("a", "b", "c"), 2)
        'a, b and 1 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _sentence(what: Refuted | SelfCheck) -> str:
    text = str(what)
    return text[:1].upper() + text[1:]


def _row(factor: Factor) -> tuple[str, ...]:
    wire = factor.wire.name + "".join(f", per {outer.name}" for outer in factor.over)
    order = big_integer(factor.order) if not factor.group.continuous else "–"
    dimension = str(factor.dimension) if factor.group.continuous else "–"
    return group_name(factor), wire, str(factor.wire.size), order, dimension, shortened(factor.tensors)
