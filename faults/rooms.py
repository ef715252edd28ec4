"""Which tests look at which room of the package."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "parasym"

WIDER: dict[str, tuple[str, ...]] = {
    "find": ("tests/zoo", "tests/rules"),
    "rules": ("tests/find", "tests/zoo"),
    "groups": ("tests/symmetry", "tests/testing"),
    "symmetry": ("tests/groups", "tests/orbit", "tests/circuits"),
    "core": ("tests/test_arguments.py", "tests/checkpoint", "tests/orbit"),
    "data": ("tests/studies",),
    "functional": ("tests/verify", "tests/orbit", "tests/landscape"),
    "report": ("tests/cli", "tests/studies"),
    "testing": (
        "tests/groups",
        "tests/find/test_random_models.py",
        "tests/find/test_random_twins.py",
        "tests/find/test_found_by_random_models.py",
        "tests/rules",
    ),
    "verify": ("tests/circuits", "tests/zoo"),
    "zoo": ("tests/verify",),
}
"""Folders and files of tests, beside the one of its own name, that are about a room too."""


def rooms() -> tuple[str, ...]:
    """Return the names of all rooms: the folders of the package."""
    return tuple(sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()))


def files_of(room: str) -> list[Path]:
    """Return the files of a room that hold code of their own, without tables and surfaces.

    Args:
        room: Its name.
    """
    return sorted(p for p in (PACKAGE / room).rglob("*.py") if p.name not in {"__init__.py", "_table.py"})


def looking_at(room: str) -> list[str]:
    """Return the folders and files of tests that look at a room, the examples of its docstrings first.

    Args:
        room: Its name.
    """
    paths = [f"src/parasym/{room}", f"tests/{room}", *WIDER.get(room, ()), "tests/test_structure.py"]
    return [path for path in paths if (ROOT / path).exists()]


def is_near(test: str, file: Path) -> bool:
    """Return whether a test is written for one file: an example of its docstrings, or in the file of tests of its name.

    Args:
        test: As pytest names it.
        file: Of the package.
    """
    path = Path(test.split("::", maxsplit=1)[0])
    return ROOT / path == file or path.name.startswith(f"test_{file.stem}")
