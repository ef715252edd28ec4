"""A table as a value, for the terminal and for HTML alike."""

from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from parasym.core import BadInputError, one_line

Align = Literal["left", "right"]
Columns = tuple[tuple[str, Align], ...]


@dataclass(frozen=True)
class Table:
    """Rows of text below a header.

    Attributes:
        title: What the rows are.
        columns: Header and alignment of every column.
        rows: One text per column.
        note: A sentence below, such as what the spread is.
        strong: Indices of rows to stress.
    """

    title: str
    columns: Columns
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    strong: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check the lengths of the rows, and that those to stress are there.

        Raises:
            BadInputError: If a row has another length than the header, or one to stress is missing.
        """
        missing = [k for k in self.strong if not 0 <= k < len(self.rows)]
        if missing:
            raise BadInputError(f"Table `{self.title}`: row {missing[0]} is to be stressed, but there are {len(self.rows)}.")
        for row in self.rows:
            if len(row) != len(self.columns):
                raise BadInputError(f"Table `{self.title}`: a row must have {len(self.columns)} texts, but is {row}.")


def rich_table(table: Table) -> Group:
    """Return the table and its note for a terminal.

    Args:
        table: Any table.
    """
    shown = RichTable(title=Text(one_line(table.title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name, align in table.columns:
        shown.add_column(Text(one_line(name)), justify=align, overflow="fold")
    for index, row in enumerate(table.rows):
        shown.add_row(*(Text(one_line(cell)) for cell in row), style="bold" if index in table.strong else None)
    return Group(shown, Text(one_line(table.note) + "\n", style="dim")) if table.note else Group(shown)
