"""A hook of MkDocs: links of figures to Markdown pages lead to the pages that are made of them."""

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r'(xlink:href="[^":#]*)\.md(#[^"]*)?"')


def to_pages(svg: str) -> str:
    """Return a figure whose links to Markdown files are links to folders, as MkDocs makes them."""
    return LINK.sub(lambda found: f'{found[1]}/{found[2] or ""}"', svg)


def on_post_build(config: Any) -> None:
    """Rewrite the figures of a site that was just built."""
    for path in Path(config["site_dir"]).rglob("*.svg"):
        text = path.read_text(encoding="utf-8")
        if LINK.search(text):
            path.write_text(to_pages(text), encoding="utf-8")
