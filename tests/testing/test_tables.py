"""The generated page of the documentation is what the code says."""

from pathlib import Path

from parasym.groups import GROUPS
from parasym.testing.pages import TABLES, filled
from parasym.testing.tables import render
from parasym.zoo import ZOO

PAGE = Path(__file__).parent.parent.parent / "docs" / "tables.md"


def test_page_is_not_stale():
    assert PAGE.read_text() == render(), "docs/tables.md is stale: run `make tables`"


def test_tables_inside_of_pages_are_not_stale():
    page = (PAGE.parent / "files.md").read_text()
    assert all(f"<!-- table: {name} -->" in page for name in TABLES)
    assert page == filled(page), "docs/files.md is stale: run `make tables`"
    assert filled(page.replace("| numpy.save |", "| other |")) == page


def test_every_member_is_listed():
    page = render()
    for name in (*(kind.__name__ for kind in GROUPS), *(entry.name for entry in ZOO)):
        assert f"| `{name}` |" in page


def test_every_table_is_rectangular():
    widths = {}
    for line in render().splitlines():
        if line.startswith("| "):
            widths.setdefault(line.replace("\\|", "").count("|"), []).append(line)
    assert set(widths) == {4, 5, 6}
