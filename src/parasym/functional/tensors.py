"""Functions of tensors, applied to whatever holds tensors: nested arguments, batches of tokenizers, graphs as objects."""

import copy
from collections import UserDict
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree


def map_tensors(fn: Callable[[Tensor], Any], value: Any) -> Any:
    """Return ``value`` with ``fn`` applied to every tensor in it; nothing given is modified.

    Tuples, lists, mappings and everything known to PyTorch's pytrees are entered, and of other objects the attributes: a graph
    with ``x`` and ``edge_index``, or a dataclass. Such an object is copied, without its constructor being called.

    Args:
        fn: Takes a tensor, returns what to put in its place.
        value: Anything.

    Example:
        >>> import torch
        >>> map_tensors(lambda x: x.shape, (torch.zeros(2), {"a": [torch.ones(3), 4]}))
        (torch.Size([2]), {'a': [torch.Size([3]), 4]})
    """
    return pytree.tree_map(lambda leaf: _leaf(fn, leaf), value)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors that :func:`map_tensors` reaches, in its order.

    Args:
        value: Anything.
    """
    found: list[Tensor] = []
    map_tensors(found.append, value)
    return found


def _leaf(fn: Callable[[Tensor], Any], leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return fn(leaf)
    if isinstance(leaf, Mapping):  # such as the batches of tokenizers, which are no dictionaries
        return _rebuilt(leaf, {name: map_tensors(fn, x) for name, x in leaf.items()})
    if isinstance(leaf, (nn.Module, type)) or not hasattr(leaf, "__dict__"):
        return leaf
    if callable(getattr(leaf, "apply", None)) and hasattr(leaf, "keys"):
        return copy.copy(leaf).apply(fn)  # graphs of PyTorch Geometric, which keep their tensors in stores
    changed = {name: pytree.tree_map(lambda part: _attribute(fn, part), x) for name, x in vars(leaf).items() if _holds(x)}
    if not changed:
        return leaf
    made = copy.copy(leaf)
    for name, x in changed.items():
        object.__setattr__(made, name, x)  # frozen dataclasses too
    return made


def _holds(value: Any) -> bool:
    return any(isinstance(part, Tensor) or is_dataclass(part) for part in pytree.tree_leaves(value))


def _attribute(fn: Callable[[Tensor], Any], part: Any) -> Any:
    # Other objects may lead back to the one that holds them.
    return _leaf(fn, part) if isinstance(part, Tensor) or (is_dataclass(part) and not isinstance(part, type)) else part


def _rebuilt(old: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    if not isinstance(old, (dict, UserDict)):
        return values  # how it is copied is not known
    made = copy.copy(old)
    made.update(values)
    return made
