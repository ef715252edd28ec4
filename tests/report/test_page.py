"""The page: self-contained, escaped, and drawn by a real browser."""

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from parasym.report import (
    MATCHED,
    NAIVE,
    Card,
    Curve,
    Page,
    Section,
    Table,
    correlation_figure,
    fields_figure,
    interpolation_figure,
    render_page,
)

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


def example() -> Page:
    points = np.linspace(0, 1, 5)
    bump = np.sin(np.pi * points)
    curves = [
        Curve("naive", NAIVE, points, [bump, 2 * bump], [1 - bump / 2, 1 - bump]),
        Curve("matched", MATCHED, points, [bump / 9, bump / 8], [1 - bump / 99, 1 - bump / 90]),
    ]
    images = np.arange(2 * 64.0).reshape(2, 8, 8) - 64
    items = (
        interpolation_figure(curves, title="a network", caption="curves"),
        fields_figure([("A", images), ("B", -images)], alt="weights", caption="fields"),
        correlation_figure([("before", np.zeros((4, 4))), ("after", np.eye(4))], alt="correlations"),
        Table(
            "numbers", (("name", "left"), ("value", "right")), (("<script>alert(1)</script>", "1"), ("b", "2")), "a note", (1,)
        ),
        (Card("label", "97 %", "detail", True), Card("other", "3 %", good=False)),
    )
    return Page(
        "A & B",
        "What this is.",
        (Card("first", "1"),),
        (Section("One", "one", ("Text.",), items), Section("Two", "two")),
        ("end",),
    )


def outside_references(html: str) -> list[str]:
    """Everything in a page that would be loaded from elsewhere."""
    targets = re.findall(r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']([^"']*)["']""", html)
    targets += re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""", html)
    return [target for target in targets if not target.startswith(("#", "data:"))]


def test_the_page_loads_nothing() -> None:
    html = render_page(example())
    assert outside_references(html) == []
    assert "http" not in html
    assert "<script" not in html


@pytest.mark.parametrize(
    "fault",
    ['<img src="https://a.org/x.png">', "<link href='style.css'>", '<p style="background: url(//a.org/x)">', "@import 'x.css';"],
)
def test_a_page_that_loads_something_is_caught(fault: str) -> None:
    assert outside_references(render_page(example()) + fault) != []


def test_names_cannot_become_markup() -> None:
    html = render_page(example())
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "A &amp; B" in html


def test_every_picture_has_words() -> None:
    html = render_page(example())
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', html)
    assert len(alts) == html.count("<img ") == 3
    assert all(alts)
    assert "At the midpoint, naive: 1.5 loss, 25.0 % accuracy" in alts[0]


def test_the_same_page_twice_is_the_same_text() -> None:
    assert render_page(example()) == render_page(example())


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_it(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(render_page(example()), encoding="utf-8")
    assert ink(screenshot(tmp_path / "index.html")) > 0.02


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_blank_page_is_caught(tmp_path: Path) -> None:
    (tmp_path / "blank.html").write_text("<!DOCTYPE html><title>nothing</title>")
    assert ink(screenshot(tmp_path / "blank.html")) == 0.0


def screenshot(page: Path) -> Path:
    """A picture of a page, taken by a headless browser without a network."""
    picture = page.with_suffix(".png")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    flags += "--disable-component-update --disable-sync"
    where = [
        f"--user-data-dir={page.parent / 'profile'}",
        f"--screenshot={picture}",
        "--window-size=1000,1600",
        "--hide-scrollbars",
    ]
    subprocess.run([str(CHROMIUM), *flags.split(), *where, page.as_uri()], check=True, capture_output=True, timeout=120)
    return picture


def ink(picture: Path) -> float:
    """Share of pixels that differ from the pixel in the corner."""
    pixels = read_png(picture)
    return float((np.abs(pixels.astype(int) - pixels[0, 0].astype(int)).max(axis=2) > 12).mean())


def read_png(path: Path) -> np.ndarray:
    """The pixels of a PNG file of 8 bits per channel, by matplotlib."""
    from matplotlib.image import imread

    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    return (imread(path) * 255).round()[..., :3]


def test_names_from_outside_are_names(recwarn: pytest.WarningsRecorder) -> None:
    name = "a$\\frac{$b\x1b[31m\u202e<i>" + "x" * 5000
    points = np.linspace(0, 1, 3)
    figure = interpolation_figure([Curve(name, NAIVE, points, [points], [points])], title=name, caption=name)
    ElementTree.fromstring(figure.svg)  # control characters would be no XML
    table = Table(name, ((name, "left"),), ((name,),), name)
    html = render_page(Page(name, name, (Card(name, name, name),), (Section(name, "a", (name,), (table, figure)),), (name,)))
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "<i>" not in html
    assert "x" * 200 not in html
    assert "a$\\frac{$b\\x1b[31m\\u202e&lt;i&gt;x" in html
    assert not recwarn.list
