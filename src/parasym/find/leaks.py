"""Tensors without numbers that code still holds after a pass: found, and taken away or named.

What a model's code can reach is put back by :mod:`parasym.functional.snapshot`. This finds what it has put elsewhere: into a
``functools.lru_cache``, a table of a far module, an object of a library. A tensor that nothing holds is gone when a pass ends;
those that are left are held by somebody, and the garbage collector knows by whom. From there the way goes up to what was there
before the pass, and is cut at that place.
"""

import functools
import gc
import logging
import sys
import types
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx.experimental import proxy_tensor

from parasym.core import CaptureError
from parasym.functional.snapshot import is_system

_LOG = logging.getLogger("parasym.find")
_LRU_CACHE = type(functools.lru_cache(lambda: None))
_AT_A_TIME, _DEEPEST = 16, 8  # each search looks at every object of the process


class _Place(NamedTuple):
    """Where something is held.

    Attributes:
        name: For people.
        restored: Whether taking it out leaves what was there before.
    """

    name: str
    restored: bool


class Watch:
    """Finds what a pass leaves behind in objects that were there before it.

    The garbage collector does not run while a model is read, so that its youngest generation holds, in the order in which they
    were made, all objects since.
    """

    def __init__(self) -> None:
        self._mark: list[Any] = [self]  # what holds nothing is not in any generation

    def _young(self) -> list[Any]:
        objects = gc.get_objects(generation=0)
        first = next((k for k, x in enumerate(objects) if x is self._mark), len(objects))
        return objects[first + 1 :]

    def fakes(self) -> list[Tensor]:
        """Return the fake tensors that ``torch.export`` has made and that are not collected yet."""
        # Torch keeps the nodes of the last graph, and with them its tensors, until the next one.
        getattr(proxy_tensor, "_FAKE_TENSOR_ID_TO_PROXY_MAP_FOR_EXPORT", {}).clear()
        return [x for x in self._young() if type(x) is FakeTensor]

    def take_back(self, leaked: list[Tensor], originals: Mapping[int, Tensor], model: Any) -> None:
        """Take tensors without numbers away from whatever still holds them after a pass.

        Where a tensor stands for a parameter or an input, that one takes its place. A cache of a function is emptied, an entry
        of a table is taken out, as is one at the end of a list; such places are logged at level INFO. A variable whose former
        value is not known becomes ``None``.

        Args:
            leaked: The tensors; the list is emptied.
            originals: What some of them stand for, by their addresses.
            model: Whose code has kept them.

        Raises:
            CaptureError: If that leaves something undone.
        """
        if not leaked:
            return
        young = set(map(id, self._young()))
        left = [weakref.ref(x) for x in leaked]
        leaked.clear()
        gc.collect(0)
        left = [ref for ref in left if ref() is not None]
        places = []
        while left:
            places += _cut([x for ref in left[:_AT_A_TIME] if (x := ref()) is not None], young, originals)
            left = left[_AT_A_TIME:]
        for name in sorted({place.name for place in places if place.restored}):
            _LOG.info("A tensor that a pass has made was taken out of %s.", name)
        undone = sorted({place.name for place in places if not place.restored})
        if undone:
            raise CaptureError(
                f"The forward of {type(model).__name__} remembers a tensor that depends on its inputs or parameters in "
                f"{', '.join(undone)}. parasym runs forward on tensors without numbers and cannot know what was there before: "
                "None is there now. Set it anew before you use the model, and keep such tensors in attributes of the model or in "
                "tables of its file, which parasym puts back."
            )


def _cut(level: list[Any], young: set[int], originals: Mapping[int, Tensor]) -> Iterator[_Place]:
    """Go up from tensors, through what the pass has made, to what was there before, and cut there."""
    seen = {id(level)}
    for _ in range(_DEEPEST):
        holders = gc.get_referrers(*level) if level else []
        above = []
        for holder in holders:
            if id(holder) in seen or not _may_hold(holder):
                continue
            seen.add(id(holder))
            if id(holder) in young:
                above.append(holder)
            else:
                for item in level:
                    yield from _take_out(holder, item, originals.get(id(item)))
        level = above
        seen.update((id(holders), id(level)))


def _may_hold(holder: Any) -> bool:
    """Return whether something can have been put there by a model's code, rather than by Python or torch.

    Torch imports parts of itself while it runs: what leads through a module, a function or a class is none of the model's.
    """
    if isinstance(holder, dict):
        name = holder.get("__name__") if "__spec__" in holder else None
        return holder is not sys.modules and (name is None or not is_system(name))
    if isinstance(holder, (list, tuple, set, deque, types.CellType, functools.partial, _LRU_CACHE)):
        return True
    if isinstance(holder, (type, types.ModuleType, types.FunctionType, types.MethodType, types.FrameType)):
        return False
    return not is_system(type(holder).__module__) or isinstance(holder, nn.Module)


def _take_out(holder: Any, item: Any, instead: Tensor | None) -> Iterator[_Place]:
    if isinstance(holder, _LRU_CACHE):
        holder.cache_clear()
        yield _Place(f"the cache of {holder.__module__}.{holder.__qualname__}", restored=True)
    elif isinstance(holder, dict):
        yield from _out_of_dict(holder, item, instead)
    elif isinstance(holder, (list, deque)):
        yield from _out_of_list(holder, item, instead)
    elif isinstance(holder, set):
        holder.discard(item)
        yield _Place(_named(holder), restored=True)
    elif isinstance(holder, types.CellType):
        holder.cell_contents = instead
        yield _Place("a variable of a function that encloses another one", restored=instead is not None)
    else:
        names = [name for name in _attributes(holder) if getattr(holder, name, None) is item]
        for name in names:
            object.__setattr__(holder, name, instead)
        where = f"{type(holder).__name__}.{names[0]}" if names else f"a {type(holder).__name__}"
        yield _Place(where, restored=bool(names) and instead is not None)


def _out_of_dict(holder: dict[Any, Any], item: Any, instead: Tensor | None) -> Iterator[_Place]:
    above = gc.get_referrers(holder)
    cache = next((x for x in above if isinstance(x, _LRU_CACHE)), None)
    if cache is not None:
        yield from _take_out(cache, item, None)
        return
    variables = any(getattr(x, "__dict__", None) is holder for x in above)
    for key in [key for key, value in holder.items() if value is item or key is item]:
        place = f"{_named(holder)}.{key}" if variables else f"{_named(holder)}[{key!r:.40}]"
        if instead is not None or variables:
            holder[key] = instead
        else:
            del holder[key]
        yield _Place(place, restored=instead is not None or not variables)


def _out_of_list(holder: Any, item: Any, instead: Tensor | None) -> Iterator[_Place]:
    for k in reversed(range(len(holder))):
        if holder[k] is item:
            last = k == len(holder) - 1
            holder[k] = instead
            if last and instead is None:
                del holder[k]
            yield _Place(f"{_named(holder)}[{k}]", restored=last or instead is not None)


def _named(holder: Any) -> str:
    """Return what people call a container: a name of a module, an attribute of an object; its class if it has no name."""
    for above in gc.get_referrers(holder):
        owner = getattr(above, "__name__", None) if isinstance(above, types.ModuleType) else type(above).__name__
        if getattr(above, "__dict__", None) is holder:  # the names of a module, the attributes of an object
            return str(owner)
        if isinstance(above, dict) and "__name__" in above:
            return ".".join([str(above["__name__"]), *[str(key) for key, value in above.items() if value is holder][:1]])
        for name in _attributes(above):
            if getattr(above, name, None) is holder:
                return f"{owner}.{name}"
    return f"a {type(holder).__name__}"


def _attributes(x: Any) -> Iterator[str]:
    """Yield the names of an object's attributes, in its dictionary and in its slots."""
    yield from list(getattr(x, "__dict__", {}))
    for base in type(x).__mro__:
        names = vars(base).get("__slots__", ())
        yield from (names,) if isinstance(names, str) else names
