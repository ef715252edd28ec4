"""The operators that plant a fault: what of a source can be changed, and how."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Fault:
    """One change of one place.

    Attributes:
        operator: ``"comparison"``, ``"sign"``, ``"constant"`` or ``"statement"``.
        function: Qualified name of the function around it; empty at the top of a module.
        line: Where it is.
        lines: Those of the statement around it; of a compound one, those of its head.
        before: The place as it was, in one line.
        after: And as it is with the fault.
        tree: The module as it was.
        path: Fields and indices that lead to the place.
        changed: What stands there with the fault.
    """

    operator: str
    function: str
    line: int
    lines: range
    before: str
    after: str
    tree: ast.Module
    path: tuple[tuple[str, int | None], ...]
    changed: ast.AST

    @property
    def source(self) -> str:
        """The whole module with the fault."""
        return _planted(self.tree, self.path, self.changed)

    @property
    def key(self) -> str:
        """What the fault is, without the line: the same when other lines of the file change."""
        return f"{self.operator} in {self.function or 'module'}: {self.before} -> {self.after}"


def faults_of(source: str) -> Iterator[Fault]:
    r"""Yield every fault that can be planted into a module.

    Messages of errors, docstrings, annotations, imports and assertions are left alone: no test has to notice those. An assertion
    too is ``strict=True``, that two sequences are equally long.

    Args:
        source: Of the module.

    Example:
        >>> [fault.key for fault in faults_of("def f(x):\n    return x > 1")]
        ['comparison in f: x > 1 -> x >= 1', 'constant in f: 1 -> 2']
    """
    tree = ast.parse(source)
    for place in _places(tree, ()):
        for operator, changed in _changes(place.node):
            after = "pass" if operator == "statement" else _line(changed)
            line, before = place.node.lineno, _line(place.node)
            yield Fault(operator, place.function, line, place.lines, before, after, tree, place.path, changed)


@dataclass(frozen=True)
class _Place:
    node: ast.expr | ast.stmt
    path: tuple[tuple[str, int | None], ...]
    function: str
    lines: range


def _places(
    node: ast.AST, path: tuple[tuple[str, int | None], ...], function: str = "", lines: range = range(0)
) -> Iterator[_Place]:
    """Yield expressions and statements that may be changed, with the way to each."""
    for field, value in ast.iter_fields(node):
        if _is_left_alone(node, field):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_docstring(child):
                continue
            if isinstance(child, (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr)) or _is_typing(child):
                continue
            here = (*path, (field, index))
            name, around = function, _head(child) if isinstance(child, ast.stmt) else lines
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                name = f"{function}.{child.name}".lstrip(".")
            elif isinstance(child, (ast.expr, ast.stmt)):
                yield _Place(child, here, function, around)
            yield from _places(child, here, name, around)


def _head(statement: ast.stmt) -> range:
    """The lines of a statement, up to its body where it has one."""
    body = getattr(statement, "body", None)
    end = max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, end + 1)


def _is_left_alone(node: ast.AST, field: str) -> bool:
    return field in {"annotation", "returns", "decorator_list", "bases", "type_params"} or (
        isinstance(node, ast.keyword) and (field == "arg" or _is_strict(node))
    )


def _is_strict(node: ast.keyword) -> bool:
    """Whether this is the assertion of a ``zip``."""
    return node.arg == "strict" and isinstance(node.value, ast.Constant) and node.value.value is True


def _is_docstring(node: ast.AST) -> bool:
    """Whether this is one, or the dots that stand for a body."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_typing(node: ast.AST) -> bool:
    """Whether this only runs while types are checked."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Yield operator and changed node for one place."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        changed = copy.deepcopy(node)
        changed.ops = [COMPARISONS[type(node.ops[0])]()]
        yield "comparison", changed
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _is_text(node):
        changed = copy.deepcopy(node)
        changed.op = ARITHMETIC[type(node.op)]()
        yield "sign", changed
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield "sign", node.operand
    if isinstance(node, ast.BoolOp):
        changed = copy.deepcopy(node)
        changed.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield "comparison", changed
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield "constant", ast.copy_location(ast.Constant(value), node)
    if isinstance(node, (ast.Expr, ast.AugAssign)) or (isinstance(node, ast.Assign) and not _is_name(node)):
        yield "statement", ast.copy_location(ast.Pass(), node)


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(x, ast.JoinedStr) or (isinstance(x, ast.Constant) and isinstance(x.value, str)) for x in ast.walk(node))


def _is_name(node: ast.Assign) -> bool:
    """Whether an assignment only names a value: dropped, it is a NameError that anything notices."""
    return all(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets)


def _planted(tree: ast.Module, path: tuple[tuple[str, int | None], ...], changed: ast.AST) -> str:
    whole = copy.deepcopy(tree)
    node: ast.AST = whole
    for field, index in path[:-1]:
        value = getattr(node, field)
        node = value if index is None else value[index]
    field, index = path[-1]
    if index is None:
        setattr(node, field, changed)
    else:
        getattr(node, field)[index] = changed
    return ast.unparse(ast.fix_missing_locations(whole))


def _line(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:100]
