"""How the arguments and results of a program are nested, as torch writes it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parasym.checkpoint.exported.refused import Refused

TUPLES = ("builtins.tuple", "builtins.list", "collections.namedtuple", "collections.deque")
DICTIONARIES = ("builtins.dict", "collections.OrderedDict", "collections.defaultdict")
KEY = re.compile(r"[\w .-]{1,200}", re.ASCII)
"""Keys become part of code that torch writes when it exports a program: nothing in them may end a text."""


@dataclass(frozen=True)
class Tree:
    """A nest of values.

    Attributes:
        keys: Of a dictionary; ``None`` for a list or tuple.
        children: The parts; ``None`` for a value.
    """

    keys: tuple[Any, ...] | None = None
    children: "tuple[Tree, ...] | None" = None

    def flat(self, value: Any) -> list[Any]:
        """Return the values of a nest, in order.

        Args:
            value: Of this form.

        Raises:
            ValueError: If it has another form.
        """
        if self.children is None:
            return [value]
        parts = self._parts(value)
        return [leaf for child, part in zip(self.children, parts, strict=True) for leaf in child.flat(part)]

    def nested(self, leaves: Iterator[Any]) -> Any:
        """Return a nest of this form.

        Args:
            leaves: Its values, in order.
        """
        if self.children is None:
            return next(leaves)
        parts = [child.nested(leaves) for child in self.children]
        return tuple(parts) if self.keys is None else dict(zip(self.keys, parts, strict=True))

    def _parts(self, value: Any) -> list[Any]:
        assert self.children is not None
        if self.keys is not None:
            if not isinstance(value, dict) or set(value) != set(self.keys):
                raise ValueError(f"a dictionary with {', '.join(map(str, self.keys))} belongs here")
            return [value[key] for key in self.keys]
        if not isinstance(value, (tuple, list)) or len(value) != len(self.children):
            raise ValueError(f"{len(self.children)} values belong here")
        return list(value)


def read_tree(text: Any, *, results: bool = False) -> Tree:
    r"""Return the tree that a text describes.

    Args:
        text: What torch's ``treespec_dumps`` wrote.
        results: Whether it is that of results, whose classes are taken for dictionaries or tuples.

    Raises:
        Refused: If it is something else, or has objects of classes.

    Example:
        >>> leaf = '{"type": null, "context": null, "children_spec": []}'
        >>> read_tree(f'[1, {{"type": "builtins.dict", "context": "[\\"x\\"]", "children_spec": [{leaf}]}}]').keys
        ('x',)
    """
    try:
        protocol, data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused("how its arguments are nested cannot be read") from error
    if protocol != 1:
        raise Refused(f"how its arguments are nested is written in protocol {protocol}, which is unknown")
    return _tree(data, results)


def _tree(data: Any, results: bool) -> Tree:
    kind, children = data.get("type"), data.get("children_spec")
    if kind is None:
        return Tree()
    if kind == "builtins.NoneType":
        return Tree(children=())
    parts = tuple(_tree(child, results) for child in children)
    if kind in TUPLES:
        return Tree(children=parts)
    keys = _keys(data.get("context"))
    if (kind in DICTIONARIES or results) and keys is not None and len(keys) == len(parts):
        return Tree(keys, parts)
    if results:
        return Tree(children=parts)
    raise Refused(f"it takes an object of the class `{kind}`")


def _keys(context: Any) -> tuple[Any, ...] | None:
    try:
        found = json.loads(context) if isinstance(context, str) else context
    except ValueError:
        return None
    if isinstance(found, dict):  # of a defaultdict, beside its factory
        found = found.get("dict_context")
    if not isinstance(found, list):
        return None
    for key in found:
        if not isinstance(key, (int, str)) or (isinstance(key, str) and not KEY.fullmatch(key)):
            raise Refused(f"it has the key {key!r} in an argument, which is no plain name")
    return tuple(found)
