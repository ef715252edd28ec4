"""Text and tables as Markdown in which nothing but our own marks acts."""

import re

from parasym.core import one_line
from parasym.report.table import Table

_BLOCK = re.compile(r"^(#{0,5}|-{2,}|\d+)(#|-|\+|[.)])(?=\s|$)|^()(>|`{3})")
_MARKS = re.compile(r"[\\*~$|]|(?<!\w)_|_(?!\w)|!(?=\[)|(?<=\])[(\[:]")
_CODE = re.compile(r"(`[^`]+`)")


def as_markdown(text: str) -> str:
    r"""Return text that Markdown shows as it is: no markup, no link, no picture, no cell border.

    Passages in backticks stay code, in which nothing acts.

    Args:
        text: Any text.

    Example:
        >>> print(as_markdown("<b> | *a* [x](http://y) in `f_1`"))
        &lt;b> \| \*a\* [x]\(http://y) in `f_1`
        >>> print(as_markdown("# a 95 % interval [1, 2]"))
        \# a 95 % interval [1, 2]
    """
    plain = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    pieces = [piece if k % 2 else _MARKS.sub(r"\\\g<0>", piece) for k, piece in enumerate(_CODE.split(plain))]
    return _BLOCK.sub(r"\1\3\\\2\4", "".join(pieces))


def markdown_table(table: Table) -> list[str]:
    """Return the lines of a table and of its note.

    Args:
        table: Any table.
    """
    heads = "| " + " | ".join(_cell(name) for name, _ in table.columns) + " |"
    rule = "|" + "|".join("---" if align == "left" else "--:" for _, align in table.columns) + "|"
    rows = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table.rows]
    return [heads, rule, *rows, "", *([as_markdown(table.note), ""] if table.note else [])]


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", as_markdown(text))  # a border within code is one too
