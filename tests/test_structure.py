"""The house rules that no linter knows. Each check is shown to fail on a planted fault."""

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pytest

import parasym
from parasym.groups import GROUPS

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "parasym").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION, MOST_NAMES = 600, 80, 30
FORBIDDEN_FILES = {"utils", "util", "helpers", "helper", "common", "misc"}
RANDOM = {"rand", "randn", "randint", "randperm", "normal", "multinomial", "bernoulli"}


def long_functions(source: str) -> Iterator[str]:
    """Functions whose body, without the docstring, has more lines than allowed."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            first = node.body[0]
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            length = (node.end_lineno or 0) - node.lineno + 1 - docstring
            if length >= LONGEST_FUNCTION:
                yield f"{node.name}: {length} lines"


def unseeded_calls(source: str) -> Iterator[str]:
    """Calls of a random function of torch without a generator, but for the initial values of a module."""
    tree = ast.parse(source)
    makers = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    initial = {id(node) for maker in makers for node in ast.walk(maker)}
    for node in ast.walk(tree):
        if id(node) in initial or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        of_torch = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
        if of_torch and node.func.attr in RANDOM and "generator" not in {k.arg for k in node.keywords}:
            yield f"line {node.lineno}: torch.{node.func.attr}"


def seeds_by_default(source: str) -> Iterator[str]:
    """Defaults of a seed, of a function or a field, other than 0."""
    for node in ast.walk(ast.parse(source)):
        given: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.arguments):
            named = [*node.posonlyargs, *node.args]
            given = list(zip([x.arg for x in named][len(named) - len(node.defaults) :], node.defaults, strict=True))
            given += zip([x.arg for x in node.kwonlyargs], node.kw_defaults, strict=True)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            given = [(node.target.id, node.value)]
        for name, value in given:
            if name == "seed" and value is not None and ast.unparse(value) != "0":
                yield f"line {value.lineno}: {ast.unparse(value)}"


def imports_of_the_top(source: str) -> Iterator[str]:
    """Imports of ``parasym`` itself, which would reach around the floors."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "parasym":
            yield f"line {node.lineno}"
        if isinstance(node, ast.Import) and any(alias.name == "parasym" for alias in node.names):
            yield f"line {node.lineno}"


def asks_for_a_group(source: str) -> Iterator[str]:
    """Checks for one class of groups, which a new group would not pass: what a group can do is said by the group."""
    kinds = {kind.__name__ for kind in GROUPS}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "issubclass"}:
            named = {x.id for x in ast.walk(node.args[1]) if isinstance(x, ast.Name)}
            named |= {x.attr for x in ast.walk(node.args[1]) if isinstance(x, ast.Attribute)}
            if named & kinds:
                yield f"line {node.lineno}: {', '.join(sorted(named & kinds))}"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_file(path: Path):
    source = path.read_text()
    assert len(source.splitlines()) < LONGEST_FILE
    assert path.stem not in FORBIDDEN_FILES, "name the thing"
    assert not list(long_functions(source))
    assert "from __future__ import annotations" not in source or path == Path(__file__)
    assert not re.search(r"#\s*(TODO|FIXME|XXX)\b", source), "open points are issues"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source(path: Path):
    source = path.read_text()
    assert not list(unseeded_calls(source)), "every random function takes generator="
    assert not list(seeds_by_default(source)), "a seed is 0 if nobody says otherwise"
    if path.relative_to(ROOT / "src/parasym").parts[0] not in {"cli"}:
        assert not list(imports_of_the_top(source)), "import from the floor that defines the name"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.relative_to(ROOT / "src/parasym").parts[0] != "groups"], ids=name_of)
def test_no_verb_asks_which_group_it_has(path: Path):
    assert not list(asks_for_a_group(path.read_text()))


def test_planted_question_for_a_group_is_seen():
    planted = "def f(g):\n    return isinstance(g, Permutation) or isinstance(g, (int, groups.SignFlip))"
    assert list(asks_for_a_group(planted)) == ["line 2: Permutation", "line 2: SignFlip"]
    assert not list(asks_for_a_group("isinstance(binding, Binding)"))


def test_planted_long_function_is_seen():
    body = "\n".join(["    x = 1"] * LONGEST_FUNCTION)
    assert list(long_functions(f"def f():\n{body}\n")) == ["f: 81 lines"]
    doc = "\n".join(["    line"] * LONGEST_FUNCTION)
    assert not list(long_functions(f'def f():\n    """Return.\n{doc}\n    """\n    return 1\n'))


def test_planted_unseeded_call_is_seen():
    assert list(unseeded_calls("x = torch.randn(3)")) == ["line 1: torch.randn"]
    assert list(unseeded_calls("def f():\n    return torch.rand(3)")) == ["line 2: torch.rand"]
    assert not list(unseeded_calls("x = torch.randn(3, generator=g)"))
    assert not list(unseeded_calls("def __init__(self):\n    self.w = nn.Parameter(torch.randn(3))"))


def test_planted_seed_is_seen():
    assert list(seeds_by_default("def f(x, seed=1): pass")) == ["line 1: 1"]
    assert list(seeds_by_default("def f(*, x, seed: int = 1, y=2): pass")) == ["line 1: 1"]
    assert list(seeds_by_default("class A:\n    seed: int = 3")) == ["line 2: 3"]
    assert not list(seeds_by_default("def f(x, seed, n=1, *, y, seeds=2): pass\nclass A:\n    seed: int = 0\n    other: int"))


def test_planted_import_of_the_top_is_seen():
    assert list(imports_of_the_top("import torch\nfrom parasym import find")) == ["line 2"]
    assert list(imports_of_the_top("def f():\n    import parasym")) == ["line 2"]
    assert not list(imports_of_the_top("from parasym.core import Params"))


def packages() -> list[str]:
    found = pkgutil.walk_packages(parasym.__path__, "parasym.")
    return ["parasym", *(module.name for module in found if module.ispkg)]


@pytest.mark.parametrize("name", packages())
def test_all_names_resolve_and_are_documented(name: str):
    package = importlib.import_module(name)
    assert package.__doc__
    names = getattr(package, "__all__", [])
    assert len(names) == len(set(names))
    for exported in names:
        value = getattr(package, exported)
        assert value.__doc__ or not (inspect.isclass(value) or inspect.isfunction(value)), exported


def test_public_surface_is_small():
    assert len(getattr(parasym, "__all__", [])) <= MOST_NAMES


def test_version_is_said_once():
    from parasym.version import __version__

    assert version("parasym") == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_constraints_pin_what_the_project_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines if "==" in line}
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[<>=\[]", need)[0].strip().lower() for need in wanted}
    assert names - pinned <= {"parasym"}
    assert "torch==2.13.0" in lines
    assert "torch>=2.8" in project["dependencies"]


def test_make_and_ci_run_the_same_tests():
    makefile, ci = (ROOT / "Makefile").read_text(), (ROOT / ".ci/run").read_text()
    assert "torch==2.13.0" in makefile
    assert re.search(r"^make test$", ci, re.MULTILINE)
    assert re.search(r"^make check$", ci, re.MULTILINE)
    for target in ("demo", "test", "check", "docs", "bench"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
