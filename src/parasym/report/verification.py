"""A report of `verify` as tables."""

from rich.console import RenderableType

from parasym.report.number import sig
from parasym.report.table import Columns, Table, rich_table
from parasym.verify import Completeness, Report


def soundness_table(report: Report) -> Table:
    """Return one row per factor: verdict, error of the outputs, how far the parameters moved.

    Args:
        report: What ``parasym.verify`` returned.
    """
    columns: Columns = (
        ("factor", "left"),
        ("holds", "left"),
        ("output error", "right"),
        ("parameters moved by", "right"),
    )
    rows = [(row.name, row.holds, sig(row.error, 2), sig(row.moved, 2)) for row in report.rows]
    if any(row.reason for row in report.rows):
        columns = (*columns, ("reason", "left"))
        rows = [(*texts, row.reason) for texts, row in zip(rows, report.rows, strict=True)]
    note = (
        f"Random elements in {report.dtype} at {report.samples} points. Errors are relative to the largest output: "
        f"yes up to {report.tolerance.holds:.0e}, no above {report.tolerance.fails:.0e}."
    )
    return Table(
        f"Soundness: {report.holds}",
        columns,
        tuple(rows),
        note,
        strong=tuple(k for k, row in enumerate(report.rows) if row.factor is None),
    )


def completeness_table(found: Completeness) -> Table:
    """Return the count of continuous directions: how many there are, how many the symmetry explains, and the rest.

    Args:
        found: The completeness part of a report.
    """
    rows = [
        ("parameters P", str(found.parameters)),
        ("rank of the Jacobian", str(found.rank)),
        ("directions without effect (nullity)", str(found.nullity)),
        ("explained by the symmetry", str(found.explained)),
        *((f"rest: {rest.kind}", str(rest.dimension)) for rest in found.rest),
        ("singular values at the rank", " and ".join(sig(value, 2) for value in found.spectrum)),
    ]
    note = "" if found.trustworthy else "The spectrum has no clear gap, so the rank is not trustworthy."
    columns: Columns = (("continuous directions", "left"), ("", "right"))
    return Table(f"Completeness: {found.complete}", columns, tuple(rows), note)


def report_tables(report: Report) -> tuple[RenderableType, ...]:
    """Return what a terminal shows of a report.

    Args:
        report: What ``parasym.verify`` returned.
    """
    shown: list[RenderableType] = [rich_table(soundness_table(report))]
    if report.completeness is not None:
        shown.append(rich_table(completeness_table(report.completeness)))
    shown += [f"uncovered: {u.operation} in {u.module or 'the model'} ({u.source}): {u.reason}" for u in report.uncovered]
    shown += [f"note: {note}" for note in report.notes]
    shown.append(f"holds: {report.holds}{', in law' if report.law else ''}, relative error {sig(report.error, 2)}")
    return tuple(shown)
