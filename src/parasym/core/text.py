"""Text from outside, such as names in files, made harmless to look at."""

import re

MOST = 120
"""Longest name or path that is written out; of a longer one the middle is left out."""

_SPAN = re.compile(r"`[^`]*`|[^\s`]+")


def printable(text: str) -> str:
    r"""Return the text with every character that does not print as an escape.

    Control characters (with them terminal sequences), marks that reorder text, half surrogates of undecodable paths, and line
    breaks become ``\x1b``, ``\u202e`` and so on; letters of every script stay.

    Args:
        text: Any text.

    Example:
        >>> print(printable("a\x1b[31mb\nc – µ"))
        a\x1b[31mb\nc – µ
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def cut(text: str, most: int = MOST) -> str:
    """Return the text, without its middle if it is longer than ``most`` characters.

    Args:
        text: Any text.
        most: How many characters to keep, at least 3.

    Example:
        >>> cut("a" * 20 + "b" * 20, 9)
        'aaaaa…bbb'
    """
    if len(text) <= most:
        return text
    tail = (most - 1) * 2 // 5
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def one_line(text: str, most: int = MOST) -> str:
    r"""Return a message as one line in which nothing from outside can act or drown the rest.

    Runs of white space become one space, what does not print is escaped, and every word or passage in backticks that is longer
    than ``most`` loses its middle.

    Args:
        text: A message with names and paths in it.
        most: How many characters of one name to keep.

    Example:
        >>> print(one_line("File `a\x1b[2Jb` is\n  no checkpoint."))
        File `a\x1b[2Jb` is no checkpoint.
    """
    return _SPAN.sub(lambda span: cut(span.group(), most), printable(" ".join(text.split())))
