"""The table of verbs."""

VERBS: tuple[str, ...] = (
    "find",
    "verify",
    "match",
    "merge",
    "distance",
    "canonicalize",
    "barrier",
    "break_",
    "hop",
    "demo",
    "study",
    "report",
)
"""Each is a function of this name in a module of this name; an underscore behind it keeps clear of a word of Python."""
