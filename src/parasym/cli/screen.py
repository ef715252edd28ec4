"""Everything that a command shows goes through here, so that names from outside cannot act on the terminal."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.segment import Segment
from rich.text import Text

from parasym.core import one_line, printable


class _Harmless:
    """What another renderable shows, with every character that does not print as an escape."""

    def __init__(self, shown: RenderableType) -> None:
        self.shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.shown, options):
            text = "\n".join(printable(line) for line in segment.text.split("\n"))
            yield segment if segment.control else Segment(text, segment.style)


class _Escapes(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Harmless(shown) for shown in renderables]


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process with the code of a claim that fails


def console(*, stderr: bool = False) -> Console:
    """Return a console on what is stdout or stderr now, on which text is text: no markup, no terminal sequences.

    Args:
        stderr: Whether to write on stderr.
    """
    found = _Screen(file=sys.stderr if stderr else sys.stdout, markup=False, emoji=False, highlight=False)
    found.push_render_hook(_Escapes())
    return found


def show(items: Iterable[RenderableType]) -> None:
    """Print tables and sentences on stdout.

    Args:
        items: Top to bottom.
    """
    screen = console()
    for item in items:
        screen.print(Text(one_line(item)) if isinstance(item, str) else item)


def show_json(data: dict[str, Any]) -> None:
    """Print JSON on stdout and nothing else; it has ASCII characters only.

    Args:
        data: Plain values; anything else is written as text.
    """
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def tell(notes: Iterable[str]) -> None:
    """Print notes on stderr, one per line.

    Args:
        notes: Sentences.
    """
    screen = console(stderr=True)
    for note in notes:
        screen.print(f"note: {one_line(note)}", style="dim", soft_wrap=True)


def complain(message: str) -> str:
    """Print an error on stderr as one line, and return what was said.

    Args:
        message: The message.

    Returns:
        The line without the name of the program.
    """
    said = one_line(message)
    sys.stderr.write(f"parasym: {said}\n")
    return said
