"""Tables inside of pages of the documentation, derived from the code: ``python -m parasym.testing.pages docs/files.md``.

A line ``<!-- table: NAME -->`` begins one, and ``<!-- end -->`` ends it.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from parasym.checkpoint._table import KINDS
from parasym.data import SOURCES
from parasym.functional import read_inputs
from parasym.testing.tables import markdown_table


def kinds() -> str:
    """Return the kinds of files with tensors: endings, the code that reading them can run, the damage it notices."""
    rows = [(kind.name, ", ".join(f"`{ending}`" for ending in kind.endings), kind.code, kind.damage) for kind in KINDS]
    return markdown_table(("kind", "endings", "code that reading it can run", "damage that is noticed"), rows)


def sources() -> str:
    """Return the sources of data: name on the command line, what it is, what it reads."""
    rows = [(f"`{source.name}`", source.title, source.path or "nothing") for source in SOURCES]
    return markdown_table(("source", "what it is", "what its path is"), rows)


def inputs() -> str:
    """Return the forms of a file with inputs, from the docstring of the function that reads it."""
    lines = [line.strip() for line in (inspect.getdoc(read_inputs) or "").splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip().replace("``", "`") for cell in line.strip("|").split("|")) for line in lines]
    return markdown_table(rows[0], rows[2:])


TABLES: Mapping[str, Callable[[], str]] = {"kinds": kinds, "sources": sources, "inputs": inputs}


def filled(page: str) -> str:
    r"""Return a page with its tables made anew.

    Args:
        page: Markdown.

    Example:
        >>> print(filled("<!-- table: inputs -->\nold\n<!-- end -->").splitlines()[1])
        | the file holds | read as |
    """
    block = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", page)


def main() -> None:
    """Write the pages whose paths are given on the command line."""
    for path in map(Path, sys.argv[1:]):
        path.write_text(filled(path.read_text()))


if __name__ == "__main__":
    main()
