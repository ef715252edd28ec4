"""What a model's code can reach and change, copied before a pass and put back after it.

A pass runs the model's own code, which may remember what it sees: in attributes, in containers and plain objects that
attributes hold, in classes, closures and default arguments, under the names of a file. Every container among these is
copied one level deep, and put back afterwards, so that each is the same object with the same contents. What a pass without
numbers leaves further away is left to :mod:`parasym.find.leaks`.

A model that remembers what it has made of its parameters, such as a table of biases by position in eval mode, is a function of
its parameters only if that is forgotten between two calls.
"""

import functools
import random
import sys
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import is_not
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module

from parasym.core import CaptureError

_LONGEST = 4096
"""Longer containers are copied, but not looked into: they hold data, not what a pass has made."""
_MOST = 20_000
"""So many containers are copied beside those of the model itself: the names of a notebook may stand for anything."""
_FARTHEST = 2
"""So many imports away from the file of a class the names of other files are still copied."""
_SYSTEM = frozenset(sys.stdlib_module_names) | {"torch", "numpy", "parasym"}
_HOLDERS = {"torch.utils.weak", "weakref", "types", "collections", "argparse", "_thread", "_threading_local"}
"""The modules whose objects hold what others put into them."""
_ATOMS = frozenset(
    {int, float, complex, bool, str, bytes, type(None), range, slice, frozenset, weakref.ref, type, types.ModuleType}
    | {torch.dtype, torch.device, torch.layout, torch.Size, torch.Generator, Tensor, nn.Parameter, nn.Buffer}
    | {types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType}
)
_UNSET: Any = types.SimpleNamespace()
"""Stands for the value of a slot or a variable that has none."""
_LRU_CACHE = type(functools.lru_cache(lambda: None))


class Snapshot:
    """Copies of all containers within reach, and the settings and random states of torch, Python and numpy.

    Args:
        *roots: The model, what it is called with.

    Example:
        >>> held = {"seen": [1]}
        >>> before = Snapshot(held)
        >>> held["seen"].append(2)
        >>> held["more"] = 3
        >>> before.restore()
        >>> held
        {'seen': [1]}
    """

    def __init__(self, *roots: Any) -> None:
        self._seen: set[int] = set()
        self._empty: list[Any] = []
        self._full: list[tuple[Any, Any, Callable[[Any, Any], None]]] = []
        self._todo: list[Any] = []
        self._caches: list[tuple[Any, int]] = []
        self._classes: dict[type, None] = {}
        self._settings = [(get, put, get()) for get, put in _SETTINGS]
        self._random, self._drawing = torch.get_rng_state(), dict(_GENERATORS)
        self._scan(roots)
        while self._todo:
            self._visit(self._todo.pop())
        most = len(self._full) + _MOST
        while (self._todo or self._classes) and len(self._full) < most:
            if self._todo:
                self._visit(self._todo.pop())
            else:
                self._class(self._classes.popitem()[0])

    def forget(self) -> None:
        """Put back what the code holds, and empty the caches of functions that were filled since."""
        self._put_back()
        for cache, filled in self._caches:
            if cache.cache_info().misses != filled:
                cache.cache_clear()

    def restore(self) -> None:
        """Put back what the code holds, settings and random states; the caches of functions stay as they are."""
        self._put_back()
        for get, put, value in self._settings:
            if get() != value:
                put(value)
        torch.set_rng_state(self._random)

    def check_draws(self, model: nn.Module) -> None:
        """Check that no numbers were drawn from the generators of Python or numpy, of which a pass sees one outcome.

        Args:
            model: Whose code may have drawn.

        Raises:
            CaptureError: If some were.
        """
        if any([get() != value for get, _, value in self._settings[len(_SETTINGS) :]]):
            raise CaptureError(
                f"The forward of {type(model).__name__} draws random numbers in Python, by `random` or `numpy.random`, and "
                "parasym would see one outcome of many. Put the model into eval mode, or draw with torch."
            )

    def _put_back(self) -> None:
        for container in self._empty:
            if container:
                container.clear()
        for container, copy, put_back in self._full:
            put_back(container, copy)

    def _scan(self, values: Iterable[Any]) -> None:
        """Note what among values may hold others."""
        seen, todo, empty = self._seen, self._todo, self._empty
        for x in values:
            kind = type(x)
            if kind in _ATOMS:
                continue
            key = id(x)
            if key not in seen:
                seen.add(key)
                if (kind is dict or kind is OrderedDict or kind is list or kind is set) and not x:
                    empty.append(x)
                else:
                    todo.append(x)

    def _visit(self, x: Any) -> None:
        if isinstance(x, nn.Module):
            self._attributes(x)
        elif isinstance(x, dict):
            copy = dict(OrderedDict.items(x) if isinstance(x, OrderedDict) else dict.items(x))
            self._keep(x, copy, _put_back_dict, copy.values())
        elif isinstance(x, (list, deque)):
            self._keep(x, list(x), _put_back_list, x)
        elif isinstance(x, set):
            self._keep(x, set(x), _put_back_set, ())
        elif isinstance(x, tuple):
            self._scan(x)
        elif isinstance(x, types.FunctionType):
            self._function(x)
        elif isinstance(x, _LRU_CACHE):
            self._caches.append((x, x.cache_info().misses))
            self._scan(_wrapped(x))
        elif isinstance(x, (types.MethodType, functools.partial, staticmethod, classmethod, property)):
            self._scan(_wrapped(x))
        elif not isinstance(x, type):
            self._object(x)

    def _keep(self, x: Any, copy: Any, put_back: Callable[[Any, Any], None], inside: Iterable[Any]) -> None:
        self._full.append((x, copy, put_back))
        if len(copy) <= _LONGEST:
            self._scan(inside)

    def _attributes(self, x: Any) -> None:
        """Keep the attributes of an object, and remember its class."""
        self._classes[type(x)] = None
        attributes = x.__dict__
        self._keep(attributes, attributes.copy(), _put_back_dict, attributes.values())

    def _object(self, x: Any) -> None:
        """Keep the attributes and slots of a plain object that may hold what others put into it."""
        kind = type(x)
        if is_system(kind.__module__) and kind.__module__ not in _HOLDERS:
            return
        if type(getattr(x, "__dict__", None)) is dict:
            self._attributes(x)
        slots = {name: getattr(x, name, _UNSET) for name in _slots(kind)}
        if slots:
            self._keep(x, slots, _put_back_slots, slots.values())

    def _class(self, x: type) -> None:
        """Keep the attributes of a class and of those that it is made of, and the names of their files."""
        for base in x.__mro__:
            if id(base) not in self._seen and not is_system(base.__module__):
                self._seen.add(id(base))
                attributes = dict(vars(base))
                self._keep(base, attributes, _put_back_class, attributes.values())
                self._names(vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}, 0)

    def _function(self, x: types.FunctionType) -> None:
        """Keep what a function holds: the variables around it, its defaults, its attributes."""
        if (x.__module__ or "").partition(".")[0] == "parasym":
            return  # a hook of this package, which is there to note what it sees
        for cell in x.__closure__ or ():
            self._cell(cell)
        self._scan((x.__defaults__, x.__kwdefaults__, x.__dict__))

    def _cell(self, cell: types.CellType) -> None:
        try:
            held = cell.cell_contents
        except ValueError:  # a variable that has no value yet
            held = _UNSET
        if not isinstance(held, (type, types.FunctionType)) and id(cell) not in self._seen:
            self._seen.add(id(cell))
            self._full.append((cell, held, _put_back_cell))
        self._scan((held,))

    def _names(self, names: dict[str, Any], far: int) -> None:
        """Keep the names of a file and what they stand for.

        Of the files of libraries only tables are looked into; of other files everything, and the files that they import from.
        """
        name = names.get("__name__")
        if id(names) in self._seen or not isinstance(name, str) or is_system(name):
            return
        self._seen.add(id(names))
        self._note_generators(names)
        values = [value for key, value in names.items() if type(value) not in _ATOMS and not key.startswith("__")]
        if _is_library(names):
            self._keep(names, names.copy(), _put_back_dict, [x for x in values if isinstance(x, (dict, list, set)) and x])
            return
        self._keep(names, names.copy(), _put_back_dict, values)
        for x in names.values():
            if isinstance(x, type) and x.__module__ == name:
                self._classes[x] = None
            elif far < _FARTHEST and isinstance(x, (types.ModuleType, types.FunctionType, type)):
                file = x if isinstance(x, types.ModuleType) else sys.modules.get(x.__module__)
                self._names(vars(file) if file is not None else {}, far + 1)

    def _note_generators(self, names: dict[str, Any]) -> None:
        """Keep the states of the generators that a file can draw from."""
        for home in {_home(x) for x in names.values()} & self._drawing.keys():
            get, put = self._drawing.pop(home)
            self._settings.append((get, put, get()))


@contextmanager
def forgotten(model: nn.Module) -> Iterator[None]:
    """Let a model's code keep nothing of one call, which may be one at other parameters than its own.

    Args:
        model: The model that the body runs.

    Yields:
        Nothing.
    """
    memory = Snapshot(model)
    try:
        yield
    finally:
        memory.forget()


def _home(x: Any) -> str:
    """Return the package that a module, or a method of an object, comes from."""
    name = x.__name__ if isinstance(x, types.ModuleType) else type(getattr(x, "__self__", None)).__module__
    return name.partition(".")[0]


def is_system(module: str | None) -> bool:
    """Return whether a module is one of Python, torch, numpy or this package, whose objects are never changed.

    Args:
        module: Its name, if it has one.
    """
    return module is None or module.partition(".")[0] in _SYSTEM


def _is_library(names: dict[str, Any]) -> bool:
    return "site-packages" in str(names.get("__file__", "")) or "dist-packages" in str(names.get("__file__", ""))


def _wrapped(x: Any) -> tuple[Any, ...]:
    if isinstance(x, property):
        return (x.fget,)
    if isinstance(x, functools.partial):
        return (x.func, x.args, x.keywords)
    return (x.__func__, getattr(x, "__self__", None)) if hasattr(x, "__func__") else (x.__wrapped__,)


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        if "__slots__" in vars(base):  # whose own names are not those of private slots
            yield from (name for name, x in vars(base).items() if isinstance(x, types.MemberDescriptorType))


def _put_back_dict(x: dict[Any, Any], copy: dict[Any, Any]) -> None:
    if len(x) == len(copy) and not any(map(is_not, x.values(), copy.values())) and not any(map(is_not, x, copy)):
        return
    kind: Any = OrderedDict if isinstance(x, OrderedDict) else dict  # not what a class of its own makes of these
    kind.clear(x)
    kind.update(x, copy)


def _put_back_list(x: Any, copy: list[Any]) -> None:
    if len(x) != len(copy) or any(map(is_not, x, copy)):
        kind: Any = deque if isinstance(x, deque) else list
        kind.clear(x)
        kind.extend(x, copy)


def _put_back_set(x: set[Any], copy: set[Any]) -> None:
    if len(x) != len(copy) or x != copy:
        set.clear(x)
        set.update(x, copy)


def _put_back_slots(x: Any, copy: dict[str, Any]) -> None:
    for name, value in copy.items():
        if getattr(x, name, _UNSET) is not value:
            if value is _UNSET:
                object.__delattr__(x, name)
            else:
                object.__setattr__(x, name, value)


def _put_back_class(x: type, copy: dict[str, Any]) -> None:
    now = vars(x)
    if len(now) != len(copy) or any(map(is_not, now.values(), copy.values())):
        for name in now.keys() - copy.keys():
            type.__delattr__(x, name)
        for name, value in copy.items():
            if vars(x).get(name) is not value:
                type.__setattr__(x, name, value)


def _put_back_cell(x: types.CellType, copy: Any) -> None:
    x.cell_contents = copy
    if copy is _UNSET:
        del x.cell_contents


def _numpy_state() -> tuple[Any, ...]:
    name, key, *rest = sys.modules["numpy.random"].get_state()
    return (name, key.tobytes(), *rest)


def _set_numpy_state(state: tuple[Any, ...]) -> None:
    name, key, *rest = state
    numpy = sys.modules["numpy"]
    numpy.random.set_state((name, numpy.frombuffer(key, dtype=numpy.uint32), *rest))


def _hooks() -> tuple[dict[int, Any], ...]:
    """Return the hooks of all modules, which a failed export of torch 2.11 leaves behind."""
    return tuple(dict(hooks) for hooks in _REGISTRATIONS)


def _set_hooks(before: tuple[dict[int, Any], ...]) -> None:
    for hooks, copy in zip(_REGISTRATIONS, before, strict=True):
        _put_back_dict(hooks, copy)


_REGISTRATIONS: tuple[dict[int, Any], ...] = (
    module._global_buffer_registration_hooks,
    module._global_module_registration_hooks,
    module._global_parameter_registration_hooks,
)
_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (_hooks, _set_hooks),
)
"""What a pass may change of torch: how to read it, how to set it."""
_GENERATORS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "random": (random.getstate, random.setstate),
    "numpy": (_numpy_state, _set_numpy_state),
}
"""Of what a file may import to draw random numbers."""
