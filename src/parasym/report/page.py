"""One self-contained HTML page from tables and figures."""

import base64
from dataclasses import dataclass
from importlib import resources

import jinja2
from markupsafe import Markup

from parasym.core import one_line
from parasym.report.figure import Figure
from parasym.report.table import Table

TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Card:
    """A number to be seen first.

    Attributes:
        label: What it is.
        value: The number, as text.
        detail: A line below.
        good: Whether it is good news; ``None`` for neither.
    """

    label: str
    value: str
    detail: str = ""
    good: bool | None = None


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: The heading.
        anchor: Target of links within the page.
        text: Paragraphs.
        items: Tables, figures and rows of cards, in order.
    """

    title: str
    anchor: str
    text: tuple[str, ...] = ()
    items: tuple[Table | Figure | tuple[Card, ...], ...] = ()


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: The heading.
        lead: The first paragraph.
        cards: Numbers below it.
        sections: The body.
        footer: How the page was made.
    """

    title: str
    lead: str
    cards: tuple[Card, ...]
    sections: tuple[Section, ...]
    footer: tuple[str, ...] = ()


def render_page(page: Page) -> str:
    """Return the page as HTML with every style and picture inside; it loads nothing.

    Text is escaped and long names are cut: names of parameters cannot become markup.

    Args:
        page: What to show.

    Example:
        >>> html = render_page(Page("A <b>", "lead", (), ()))
        >>> "<h1>A &lt;b&gt;</h1>" in html, "http" in html
        (True, False)
    """
    source = resources.files("parasym.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["markup"] = Markup  # of our own drawing, in which all text is escaped
    environment.tests["table"] = lambda item: isinstance(item, Table)
    environment.tests["figure"] = lambda item: isinstance(item, Figure)
    return environment.from_string(source).render(page=page)


def _shown(value: object) -> object:
    return one_line(value) if type(value) is str else value


def _data_uri(svg: str) -> Markup:
    # As an image the SVG has identifiers of its own and cannot load anything.
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode())
