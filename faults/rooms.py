"""Which tests look at which room of the package."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "parasym"

WIDER: dict[str, tuple[str, ...]] = {
    "find": ("tests/zoo", "tests/rules"),
    "rules": ("tests/find", "tests/zoo"),
    "groups": ("tests/symmetry", "tests/testing"),
    "symmetry": ("tests/groups", "tests/orbit"),
    "core": ("tests/test_arguments.py", "tests/checkpoint", "tests/orbit"),
    "data": ("tests/studies",),
    "functional": ("tests/verify", "tests/orbit", "tests/landscape"),
    "report": ("tests/cli", "tests/studies"),
    "testing": ("tests/rules", "tests/groups"),
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


def stages_of(room: str, file: Path) -> list[list[str]]:
    """Return the tests that should notice a fault, in stages: those of the file first, since most faults end there.

    Args:
        room: Of the file.
        file: With the fault.
    """
    own = ROOT / "tests" / room
    near = [str(p.relative_to(ROOT)) for p in sorted(own.rglob(f"test_{file.stem}*.py"))]
    all_own = [f"tests/{room}"] if own.is_dir() else []
    wider = [path for path in WIDER.get(room, ()) if (ROOT / path).exists()]
    stages = [[str(file.relative_to(ROOT)), *near], all_own, wider]
    return [stage for stage in stages if stage]
