"""Which sources decide what a study measures, and their hash: rows of other sources may differ."""

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent
"""The folder of the package, which is named as it is imported."""

ASIDE = ("claim", "interval", "summary", "*_summary")
"""Files of studies that read rows: what they say of them changes no measurement."""


@lru_cache(maxsize=8)
def sources_of(run: Callable[..., Any]) -> str:
    """Return the SHA-256 over all files of the package that a function's file imports, with that file, directly or not.

    Imports are read, not executed, those inside functions too. A name that a package hands on is followed to the file that
    defines it, so that a change elsewhere in that package does not count. Files that read rows are left out.

    Args:
        run: A function of a file.

    Returns:
        64 hexadecimal digits; empty if the function was written in no file.
    """
    whole, paths = hashlib.sha256(), files_of(run)
    if not paths:
        return ""
    for path in paths:
        name = path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name
        whole.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def files_of(run: Callable[..., Any]) -> tuple[Path, ...]:
    """Return the files of `sources_of`, in order.

    Args:
        run: A function of a file.
    """
    first = Path(inspect.getfile(inspect.unwrap(run))).resolve()
    found: set[Path] = set()
    left = [first] if first.is_file() else []
    while left:
        path = left.pop()
        if path in found or _is_aside(path):
            continue
        found.add(path)
        left += _imported(path)
    return tuple(sorted(found))


def _is_aside(path: Path) -> bool:
    return path.parent == Path(__file__).parent and any(Path(path.stem).match(pattern) for pattern in ASIDE)


def _imported(path: Path) -> Iterator[Path]:
    for module, name, _ in _imports(path):
        yield from _defining(module, name) if name else _file(module)


def _defining(module: str, name: str) -> Iterator[Path]:
    """Yield the file that defines a name of a module, or that is it."""
    inner = tuple(_file(f"{module}.{name}"))
    if inner:
        yield from inner
        return
    for path in _file(module):
        handed = [(m, n) for m, n, alias in _imports(path) if n and alias == name] if path.name == "__init__.py" else []
        yield from _defining(*handed[0]) if handed else (path,)


def _file(module: str) -> Iterator[Path]:
    """Yield the file of a module of the package; nothing for others."""
    first, *rest = module.split(".")
    if first != PACKAGE.name:
        return
    folder = PACKAGE.joinpath(*rest)
    for path in (folder.with_suffix(".py"), folder / "__init__.py"):
        if rest and path.is_file():
            yield path


@cache
def _imports(path: Path) -> tuple[tuple[str, str, str], ...]:
    """Return what a file imports: module, name (empty for the module itself), and what it calls it."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += [(node.module, alias.name, alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "", alias.asname or alias.name) for alias in node.names]
    return tuple(found)
