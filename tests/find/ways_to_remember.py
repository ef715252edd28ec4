"""Ways in which the code of a model remembers a tensor: one class each, with the objects that hold it."""

import functools
import sys
import threading
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

TABLE: dict[Any, Any] = {}
LATEST: Tensor | None = None
FAR = types.ModuleType("far_from_the_model")
exec("TABLE = {}\ndef positions(n):\n    return TABLE", FAR.__dict__)
sys.modules[FAR.__name__] = FAR
TAUGHT: Any = threading.local()


class Remembers(nn.Module):
    """A network that adds something to its first layer: made once, remembered, and looked up afterwards.

    Args:
        of: What it adds depends on ``"nothing"``, on the ``"parameters"`` or on the ``"inputs"``.
    """

    frequency: Tensor

    def __init__(self, of: str = "nothing") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.of = nn.Linear(3, 4), nn.Linear(4, 2), of
        self.register_buffer("frequency", torch.tensor([1.0, 2.0, 3.0, 4.0]))

    def forward(self, x: Tensor) -> Tensor:
        made: dict[str, Callable[[], Tensor]] = {
            "nothing": lambda: torch.arange(len(x))[:, None] / self.frequency,
            "parameters": lambda: self.a.weight.sum(1) + torch.arange(len(x))[:, None],
            "inputs": lambda: x.mean(1, keepdim=True) * torch.arange(4),
        }
        return self.b(torch.relu(self.a(x) + self.recall(len(x), made[self.of])))

    def recall(self, n: int, make: Callable[[], Tensor]) -> Tensor:
        """Return what is remembered for ``n``, which is made if nothing is."""
        raise NotImplementedError

    def held(self) -> list[Any]:
        """Return what holds, and what is held."""
        return []


def _in(table: Any, n: Any, make: Callable[[], Tensor]) -> Tensor:
    if n not in table:
        table[n] = make()
    return table[n]


class Attribute(Remembers):
    cache: Tensor | None = None

    def recall(self, n, make):
        if self.cache is None:
            self.cache = make()
        return self.cache

    def held(self):
        return [self.cache]


class Dictionary(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.cache: dict[int, Tensor] = {}

    def recall(self, n, make):
        return _in(self.cache, n, make)

    def held(self):
        return [self.cache, *self.cache.values()]


class Ordered(Dictionary):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.cache = OrderedDict({3: torch.zeros(3, 4)})

    def recall(self, n, make):
        made = _in(self.cache, n, make)
        if isinstance(self.cache, OrderedDict):
            self.cache.move_to_end(3)
        return made


class Default(Dictionary):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.cache = defaultdict(lambda: None)  # type: ignore[arg-type]

    def recall(self, n, make):
        if self.cache[n] is None:
            self.cache[n] = make()
        return self.cache[n]


class NestedList(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.cache: list[Any] = [[], ({"deep": []},)]

    def recall(self, n, make):
        if not self.cache[1][0]["deep"]:
            self.cache[1][0]["deep"].append(make())
        return self.cache[1][0]["deep"][0]

    def held(self):
        return [self.cache, *self.cache, *self.cache[1], *self.cache[1][0]["deep"]]


class Queue(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.cache: deque[Tensor] = deque(maxlen=2)

    def recall(self, n, make):
        if not self.cache:
            self.cache.append(make())
        return self.cache[-1]

    def held(self):
        return [self.cache, *self.cache]


@dataclass
class Plain:
    """A plain object that a model holds."""

    found: dict[int, Tensor] = field(default_factory=dict)
    last: Tensor | None = None


class HeldObject(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.helper = Plain()

    def recall(self, n, make):
        self.helper.last = _in(self.helper.found, n, make)
        return self.helper.last

    def held(self):
        return [self.helper, self.helper.last, *self.helper.found.values()]


class Slots:
    """An object without a dictionary."""

    __slots__ = ("last",)


class HeldSlots(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.helper = Slots()
        self.helper.last = None

    def recall(self, n, make):
        if self.helper.last is None:
            self.helper.last = make()
        return self.helper.last

    def held(self):
        return [self.helper, self.helper.last]


class PrivateSlots:
    """An object whose private slot has no value until something is remembered."""

    __slots__ = ("__last",)

    def recall(self, make):
        if not hasattr(self, "_PrivateSlots__last"):
            self.__last = make()
        return self.__last

    def held(self):
        return [getattr(self, "_PrivateSlots__last", None)]


class UnsetSlots(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.helper = PrivateSlots()

    def recall(self, n, make):
        return self.helper.recall(make)

    def held(self):
        return [self.helper, *self.helper.held()]


class HiddenModule(Remembers):
    """Another module, which is not one of its own, remembers."""

    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.friends = [Attribute()]

    def recall(self, n, make):
        return self.friends[0].recall(n, make)

    def held(self):
        return [self.friends, *self.friends, self.friends[0].cache]


class ModuleTable(Remembers):
    def recall(self, n, make):
        return _in(TABLE, (type(self), self.of, n), make)

    def held(self):
        return [TABLE, TABLE.get((type(self), self.of, 5))]


class ModuleVariable(Remembers):
    def recall(self, n, make):
        global LATEST  # noqa: PLW0603
        if LATEST is None:
            LATEST = make()
        return LATEST

    def held(self):
        return [LATEST]


class FarTable(Remembers):
    def recall(self, n, make):
        return _in(FAR.positions(n), (self.of, n), make)

    def held(self):
        return [FAR.TABLE, FAR.TABLE.get((self.of, 5))]


class FarVariable(Remembers):
    def recall(self, n, make):
        if not hasattr(FAR, "latest"):
            FAR.latest = make()  # type: ignore[attr-defined]
        return FAR.latest  # type: ignore[attr-defined]

    def held(self):
        return [getattr(FAR, "latest", None)]


class ClassAttribute(Remembers):
    shared: Tensor | None = None

    def recall(self, n, make):
        if type(self).shared is None:
            type(self).shared = make()
        return type(self).shared

    def held(self):
        return [type(self).shared]


class NewClassAttribute(Remembers):
    """The class has no such attribute until something is remembered."""

    def recall(self, n, make):
        if not hasattr(type(self), "fresh"):
            type(self).fresh = make()  # type: ignore[attr-defined]
        return type(self).fresh  # type: ignore[attr-defined]

    def held(self):
        return [getattr(type(self), "fresh", None)]


class ClassTable(Remembers):
    tables: ClassVar[dict[Any, Tensor]] = {}

    def recall(self, n, make):
        return _in(self.tables, (self.of, n), make)

    def held(self):
        return [self.tables, *self.tables.values()]


class Closure(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        latest: Tensor | None = None
        tables: dict[int, Tensor] = {}

        def look_up(n: int, make: Callable[[], Tensor]) -> Tensor:
            nonlocal latest
            latest = _in(tables, n, make)
            return latest

        self.look_up, self.inside = look_up, lambda: [tables, latest]

    def recall(self, n, make):
        return self.look_up(n, make)

    def held(self):
        return self.inside()


class UnsetVariable(Remembers):
    """A variable around a function has no value until something is remembered."""

    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)

        def look_up(make: Callable[[], Tensor]) -> Tensor:
            nonlocal latest
            if not self.inside()[0]:
                latest = make()
            return latest

        def inside() -> list[Any]:
            try:
                return [True, latest]
            except NameError:
                return [False, None]

        self.look_up, self.inside = look_up, inside
        if of == "never":
            latest = torch.zeros(())

    def recall(self, n, make):
        return self.look_up(make)

    def held(self):
        return self.inside()


def _by_default(key: Any, make: Callable[[], Tensor], table: dict[Any, Tensor] = {}) -> Tensor:  # noqa: B006
    return _in(table, key, make)


class DefaultArgument(Remembers):
    def recall(self, n, make):
        return _by_default((self.of, n), make)

    def held(self):
        return [*_by_default.__defaults__, *_by_default.__defaults__[0].values()]  # type: ignore[misc]


def _noted(make: Callable[[], Tensor]) -> Tensor:
    if not hasattr(_noted, "latest"):
        _noted.latest = make()  # type: ignore[attr-defined]
    return _noted.latest  # type: ignore[attr-defined]


class FunctionAttribute(Remembers):
    def recall(self, n, make):
        return _noted(make)

    def held(self):
        return [getattr(_noted, "latest", None)]


@functools.lru_cache
def _bounded(key: Any, make: Any) -> Tensor:
    return make.make()


@functools.cache
def _unbounded(key: Any, make: Any) -> Tensor:
    return make.make()


@dataclass(eq=False)
class _Same:
    """Equal to every other one, so that a cache does not look at it."""

    make: Callable[[], Tensor]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same)

    def __hash__(self) -> int:
        return 0


class LruCache(Remembers):
    def recall(self, n, make):
        return _bounded((self.of, n), _Same(make))


class Cache(Remembers):
    def recall(self, n, make):
        return _unbounded((self.of, n), _Same(make))


class LruMethod(Remembers):
    @functools.lru_cache  # noqa: B019
    def find(self, n: int, make: Any) -> Tensor:
        return make.make()

    def recall(self, n, make):
        return self.find(n, _Same(make))


class CachedProperty(Remembers):
    @functools.cached_property
    def positions(self) -> Tensor:
        return torch.arange(5)[:, None].float() * (self.a.weight.sum() if self.of == "parameters" else 1)

    def recall(self, n, make):
        return self.positions if self.of != "inputs" else make()

    def held(self):
        return [self.__dict__.get("positions")]


class WeakKeys(Remembers):
    table: ClassVar[weakref.WeakKeyDictionary[Any, Tensor]] = weakref.WeakKeyDictionary()

    def recall(self, n, make):
        return _in(self.table, self, make)

    def held(self):
        return [self.table, self.table.get(self)]


class WeakValues(Remembers):
    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.table: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()
        self.strong: list[Tensor] = []

    def recall(self, n, make):
        if n not in self.table:
            self.strong.append(make())
            self.table[n] = self.strong[-1]
        return self.table[n]

    def held(self):
        return [self.table, self.strong, *self.strong, *self.table.values()]


class Buffer(Remembers):
    def recall(self, n, make):
        if not hasattr(self, "positions"):
            self.register_buffer("positions", make(), persistent=False)
        return self.positions

    def held(self):
        return [self._buffers.get("positions")]


class Hook(Remembers):
    """A hook of a layer remembers what the layer returns."""

    def __init__(self, of: str = "nothing") -> None:
        super().__init__(of)
        self.seen = seen = []
        self.a.register_forward_hook(lambda module, args, out: seen.append(out))

    def recall(self, n, make):
        return make()

    def held(self):
        return [self.seen, *self.seen]


class ThreadLocal(Remembers):
    def recall(self, n, make):
        if getattr(TAUGHT, self.of, None) is None:
            setattr(TAUGHT, self.of, make())
        return getattr(TAUGHT, self.of)

    def held(self):
        return [getattr(TAUGHT, self.of, None)]


class Singleton(Remembers):
    """A plain object that a class holds."""

    helper = Plain()

    def recall(self, n, make):
        return _in(self.helper.found, (self.of, n), make)

    def held(self):
        return [self.helper, *self.helper.found.values()]


def clear() -> None:
    """Forget what is remembered outside of models."""
    global LATEST
    LATEST, ClassAttribute.shared = None, None
    for table in (TABLE, FAR.TABLE, ClassTable.tables, _by_default.__defaults__[0], Singleton.helper.found):  # type: ignore[index]
        table.clear()
    for cache in (_bounded, _unbounded, LruMethod.find):
        cache.cache_clear()
    TAUGHT.__dict__.clear()
    _noted.__dict__.clear()
    if hasattr(NewClassAttribute, "fresh"):
        del NewClassAttribute.fresh  # pyright: ignore[reportAttributeAccessIssue]
    FAR.__dict__.pop("latest", None)


WAYS: tuple[type[Remembers], ...] = (
    Attribute,
    Buffer,
    Cache,
    CachedProperty,
    ClassAttribute,
    ClassTable,
    Closure,
    Default,
    DefaultArgument,
    Dictionary,
    FarTable,
    FarVariable,
    FunctionAttribute,
    HeldObject,
    HeldSlots,
    HiddenModule,
    Hook,
    LruCache,
    LruMethod,
    ModuleTable,
    ModuleVariable,
    NestedList,
    NewClassAttribute,
    Ordered,
    Queue,
    Singleton,
    ThreadLocal,
    UnsetSlots,
    UnsetVariable,
    WeakKeys,
    WeakValues,
)
