"""Markdown of foreign text: read by another library, it holds words and nothing else."""

import pytest
from markdown_it import MarkdownIt

from parasym.report import Table
from parasym.report.markdown import as_markdown, markdown_table

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "[click](http://elsewhere)",
    "![seen](http://elsewhere/x.png)",
    "[a][b]",
    "[a]: http://elsewhere",
    "<http://elsewhere>",
    "*em* **strong** ~~gone~~ _em_",
    "# title",
    "- item",
    "1. item",
    "> quote",
    "---",
    "a\n\n# title",
    "a | b",
    "\\[a](http://elsewhere)",
    "\\<b>",
    "`code` and <b>",
    "``` \n<b>",
    "a\x1b[2Jb",
]
INERT = {"paragraph_open", "paragraph_close", "inline", "text", "code_inline", "bullet_list_open", "bullet_list_close"}
INERT |= {"list_item_open", "list_item_close", "text_special", "softbreak"}
ROWS = {f"{part}_{side}" for part in ("table", "thead", "tbody", "tr", "th", "td") for side in ("open", "close")}


def kinds(markdown: str) -> set[str]:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    return {token.type for token in tokens} | {part.type for token in tokens for part in token.children or ()}


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_it_acts(text: str) -> None:
    assert kinds(f"* {as_markdown(text)}") <= INERT
    table = Table(text, ((text, "left"), ("b", "right")), ((text, "1"), ("2", text)), text)
    assert kinds("\n".join(markdown_table(table))) <= INERT | ROWS
    lines = markdown_table(table)
    html = MarkdownIt("commonmark").enable("table").render("\n".join(lines[:4]))
    assert html.count("<td") == 4  # no cell was cut in two


def test_each_of_them_would_act() -> None:
    acting = [text for text in HOSTILE if not kinds(f"* {text}") <= INERT or "|" in text]
    assert len(acting) > 0.6 * len(HOSTILE)


def test_words_and_numbers_are_left_alone() -> None:
    for text in (
        "11.000 [8.516, 13.484]",
        "W-asymmetric, n = 5",
        "-0.3",
        "Command: `parasym study toy --preset tiny`.",
        "10 > 2",
    ):
        assert as_markdown(text) == text
