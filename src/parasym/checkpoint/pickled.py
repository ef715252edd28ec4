"""A pickle as a tree of plain values: nothing in it is imported, called or built.

A pickle is a program for a stack machine. Most of it makes numbers, texts, lists and dictionaries; two instructions fetch a name
from a module and call what was fetched, and that is how a file runs code. Here the machine notes the name and the call, and goes
on; :mod:`parasym.checkpoint.rebuild` makes tensors of the few that it knows, from data alone.

References:
    https://docs.python.org/3/library/pickletools.html
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from parasym.core import CheckpointError

SYSTEM = frozenset(
    "os posix nt subprocess sys shutil socket importlib runpy pty ctypes webbrowser code codeop commands pickle _pickle marshal "
    "pdb bdb timeit profile cProfile trace signal site pip pydoc imp multiprocessing asyncio urllib http requests tempfile "
    "zipimport distutils setuptools".split()
)
"""Modules whose functions act on the machine: no checkpoint calls one, and a file that does was made to attack."""

ACTING = frozenset(f"builtins.{name}" for name in "eval exec compile open __import__ input breakpoint".split())
ACTING |= {name.replace("builtins", "__builtin__") for name in ACTING} | {
    "__builtin__.execfile",
    "types.FunctionType",
    "types.CodeType",
}


@dataclass(frozen=True, eq=False)
class Name:
    """What a pickle wants from a module: a class or a function.

    Attributes:
        module: As in ``torch._utils``.
        name: As in ``_rebuild_tensor_v2``.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Call:
    """A call that a pickle asks for, and what it puts into the result.

    Attributes:
        function: What is called: a name, what another call returns, or what a reference stands for.
        args: Arguments.
        kwargs: Keyword arguments.
        states: What would be handed to ``__setstate__``.
        items: What would be appended.
        pairs: What would be set by key.
    """

    function: Any
    args: tuple[Any, ...] = ()
    kwargs: Any = None
    states: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Reference:
    """Something that is kept outside the pickle, such as the numbers of a tensor.

    Attributes:
        key: What it is known by.
    """

    key: Any


class _Bounded:
    """A file that is not asked for more than it has: a damaged length would have Python reserve that much memory."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.readline, self.tell = file, file.readline, file.tell
        here = file.tell()
        self.end = file.seek(0, 2)
        file.seek(here)

    def read(self, size: int) -> bytes:
        if size > self.end - self.file.tell():
            raise ValueError("it is cut off")
        return self.file.read(size)


class PickledCode(CheckpointError):
    """A pickle calls a function that acts on the machine; it was not called. The message is its name."""


class _Machine:
    """The stack machine; every handler takes the argument of its instruction."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        for opcode, argument, _ in pickletools.genops(cast(Any, _Bounded(file))):
            if opcode.name == "STOP":
                return self.stack.pop()
            handler = _HANDLERS.get(opcode.name)
            if handler is not None:
                handler(self, argument)
            elif opcode.name in _LITERALS:
                self.stack.append(argument)
            else:
                raise ValueError(f"the instruction {opcode.name} has no place in a checkpoint")
        raise ValueError("it has no end")

    def marked(self) -> list[Any]:
        """Return what is above the last mark, and take it off."""
        begin = self.marks.pop()
        items = self.stack[begin:]
        del self.stack[begin:]
        return items

    def extend(self, items: list[Any]) -> None:
        top = self.stack[-1]
        if isinstance(top, Call):
            top.items += items
        elif type(top) is list:
            top += items
        else:
            raise TypeError(f"items are appended to a {type(top).__name__}")

    def add(self, items: list[Any]) -> None:
        top = self.stack[-1]
        if not isinstance(top, Call):
            raise TypeError(f"items are added to a {type(top).__name__}")
        top.items += items

    def update(self, items: list[Any]) -> None:
        pairs = list(zip(items[::2], items[1::2], strict=True))
        top = self.stack[-1]
        if isinstance(top, Call):
            top.pairs += pairs
        elif type(top) is dict:
            top.update(pairs)
        else:
            raise TypeError(f"keys are set in a {type(top).__name__}")

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        top = self.stack[-1]
        if not isinstance(top, Call):
            raise TypeError(f"a state is given to a {type(top).__name__}")
        top.states.append(state)

    def call(self, function: Any, args: Any, kwargs: Any = None) -> None:
        if not isinstance(function, (Name, Call, Reference)):
            raise TypeError(f"a {type(function).__name__} is called")
        if isinstance(function, Name) and (function.module.split(".")[0] in SYSTEM or str(function) in ACTING):
            raise PickledCode(str(function))
        self.stack.append(Call(function, tuple(args), kwargs))

    def reduce(self, _: Any) -> None:
        args = self.stack.pop()
        self.call(self.stack.pop(), args)

    def new_with_keywords(self, _: Any) -> None:
        kwargs, args = self.stack.pop(), self.stack.pop()
        self.call(self.stack.pop(), args, kwargs)

    def instance(self, argument: Any) -> None:
        args = self.marked()
        self.call(_name(*argument.split(" ", 1)), args)

    def object(self, _: Any) -> None:
        function, *args = self.marked()
        self.call(function, args)

    def stacked_name(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_name(module, name))

    def tuple_of(self, count: int) -> None:
        items = self.stack[-count:]
        if len(items) < count:
            raise IndexError("the stack is empty")
        del self.stack[-count:]
        self.stack.append(tuple(items))

    def item(self, _: Any) -> None:
        self.extend([self.stack.pop()])

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.update([key, value])

    def refer(self, _: Any) -> None:
        self.stack.append(Reference(self.stack.pop()))

    def remember(self, key: int | None) -> None:
        self.memo[len(self.memo) if key is None else key] = self.stack[-1]


def read_pickle(file: BinaryIO) -> Any:
    """Return the tree of one pickle, and leave the file behind its end.

    Lists, dictionaries, tuples and plain values are themselves; everything else is a :class:`Name`, a :class:`Call` or a
    :class:`Reference`. Nothing that the pickle names is imported or called, whatever it is.

    Args:
        file: Opened for reading bytes.

    Raises:
        CheckpointError: If it is no pickle, or a damaged one.
        PickledCode: If it calls a function that acts on the machine.

    Example:
        >>> import argparse, io, os, pickle
        >>> found = read_pickle(io.BytesIO(pickle.dumps({"epoch": 3, "args": argparse.Namespace(lr=0.1)})))
        >>> found["epoch"], str(found["args"].function), found["args"].states
        (3, 'argparse.Namespace', [{'lr': 0.1}])
        >>> class Runs:
        ...     def __reduce__(self):
        ...         return os.mkdir, ("made-by-the-pickle",)
        >>> read_pickle(io.BytesIO(pickle.dumps(Runs())))
        Traceback (most recent call last):
        parasym.checkpoint.pickled.PickledCode: posix.mkdir
        >>> os.path.exists("made-by-the-pickle")
        False
    """
    try:
        return _Machine().run(file)
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"it is no whole pickle ({lines[0].rstrip('.')})") from error


def references(tree: Any) -> list[Reference]:
    """Return every reference in a tree, each once.

    Args:
        tree: What :func:`read_pickle` returned.
    """
    found, seen, left = [], set(), [tree]
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Reference):
            found.append(node)
        elif isinstance(node, dict):
            left += [*node, *node.values()]
        elif isinstance(node, (list, tuple)):
            left += node
        elif isinstance(node, Call):
            left += [node.function, node.args, node.kwargs, node.states, node.items, *node.pairs]
    return found


def _name(module: Any, name: Any) -> Name:
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("a name is no text")
    return Name(module, name)


def _empty_set(machine: _Machine, _: Any) -> None:
    machine.stack.append(Call(Name("builtins", "set")))


def _frozen_set(machine: _Machine, _: Any) -> None:
    machine.stack.append(Call(Name("builtins", "frozenset"), (machine.marked(),)))


_LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE "
    "SHORT_BINUNICODE BINUNICODE BINUNICODE8 FLOAT BINFLOAT BYTEARRAY8".split()
)
_Handler = Callable[[_Machine, Any], object]
_HANDLERS: dict[str, _Handler] = {
    "PROTO": lambda m, x: None,
    "FRAME": lambda m, x: None,
    "NONE": lambda m, x: m.stack.append(None),
    "NEWTRUE": lambda m, x: m.stack.append(True),
    "NEWFALSE": lambda m, x: m.stack.append(False),
    "EMPTY_LIST": lambda m, x: m.stack.append([]),
    "EMPTY_DICT": lambda m, x: m.stack.append({}),
    "EMPTY_TUPLE": lambda m, x: m.stack.append(()),
    "EMPTY_SET": _empty_set,
    "FROZENSET": _frozen_set,
    "LIST": lambda m, x: m.stack.append(m.marked()),
    "TUPLE": lambda m, x: m.stack.append(tuple(m.marked())),
    "DICT": lambda m, x: (items := m.marked(), m.stack.append({}), m.update(items)),
    "TUPLE1": lambda m, x: m.tuple_of(1),
    "TUPLE2": lambda m, x: m.tuple_of(2),
    "TUPLE3": lambda m, x: m.tuple_of(3),
    "MARK": lambda m, x: m.marks.append(len(m.stack)),
    "POP": lambda m, x: m.stack.pop(),
    "POP_MARK": lambda m, x: m.marked(),
    "DUP": lambda m, x: m.stack.append(m.stack[-1]),
    "APPEND": _Machine.item,
    "APPENDS": lambda m, x: (items := m.marked(), m.extend(items)),
    "ADDITEMS": lambda m, x: (items := m.marked(), m.add(items)),
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda m, x: (items := m.marked(), m.update(items)),
    "BUILD": _Machine.build,
    "GLOBAL": lambda m, x: m.stack.append(_name(*x.split(" ", 1))),
    "STACK_GLOBAL": _Machine.stacked_name,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "INST": _Machine.instance,
    "OBJ": _Machine.object,
    "PERSID": lambda m, x: m.stack.append(Reference(x)),
    "BINPERSID": _Machine.refer,
    "PUT": _Machine.remember,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": _Machine.remember,
    "GET": lambda m, x: m.stack.append(m.memo[x]),
    "BINGET": lambda m, x: m.stack.append(m.memo[x]),
    "LONG_BINGET": lambda m, x: m.stack.append(m.memo[x]),
}
"""By instruction; those of out-of-band buffers and of the extension registry are missing: no checkpoint has them."""
