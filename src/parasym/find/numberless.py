"""Tensors without numbers, and what an operation on them returns.

A model is captured by running it on tensors that have a shape, a type and a device, and nothing else. What an operation
returns depends on nothing else either, so it is computed once, on torch's own fake tensors, and remembered: a network of
many equal blocks asks the same questions again and again.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

_PLAIN = (Tensor, nn.Parameter, nn.Buffer, FakeTensor)
_SCALARS = (int, float, bool, str, complex, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format)


class Numberless(Tensor):
    """A tensor of which only the shape, the strides, the type and the device are known."""

    spec: "Spec"
    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    def __repr__(self, *, tensor_contents: object = None) -> str:
        """Return shape and type. To print numbers torch holds a guard, which an error in between would leave in force."""
        return f"Numberless(shape={self.spec.shape}, dtype={self.spec.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Refuse: outside of a capture nothing can be done with a tensor that has no numbers."""
        raise TypeError(f"{func} needs the numbers of a tensor that has none.")


class Spec(NamedTuple):
    """What is known of a tensor without numbers."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


class _Same(NamedTuple):
    """An operation returned the operand of this position among its tensors, as in-place operations do."""

    position: int


def without_numbers(x: Tensor) -> Numberless:
    """Return a tensor without its numbers.

    Parameters come back as tensors that require a gradient whether or not they are frozen: a product of matrices is written
    in another way for those, and the answer must not depend on what is trained.

    Args:
        x: A plain dense tensor, on any device.

    Raises:
        TypeError: If it is not dense, of another class, or of unknown length.
    """
    if isinstance(x, Numberless):
        return x
    out = _make(_spec(x))
    if isinstance(x, nn.Parameter) and (x.is_floating_point() or x.is_complex()):
        out.requires_grad_()
    return out


def _spec(x: Tensor) -> Spec:
    shape = tuple(x.shape)
    if type(x) not in _PLAIN or x.layout is not torch.strided or x.is_quantized or not all(type(n) is int for n in shape):
        raise TypeError(f"A {type(x).__name__} of layout {x.layout} and shape {shape} cannot be captured in this way.")
    return Spec(shape, x.stride(), x.dtype, x.device)


def _make(spec: Spec) -> Numberless:
    out = Tensor._make_wrapper_subclass(Numberless, spec.shape, strides=spec.strides, dtype=spec.dtype, device=spec.device)
    out.spec = spec
    return out


def results(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, on_meta: bool = False) -> Any:
    """Return what an operation returns, without numbers; operands that it returns are the operands themselves.

    Args:
        func: An ATen operation.
        args: Its arguments.
        kwargs: Its keyword arguments.
        on_meta: Whether to return real tensors of the meta device, which have no numbers anyway.

    Raises:
        TypeError: If an argument is something whose meaning is not in its value, or a shape would change in place.
    """
    if torch.Tag.inplace_view in func.tags:
        raise TypeError(f"{func} changes a shape in place.")
    tensors: list[Tensor] = []
    return _thawed(_results(func, _key(args, kwargs, tensors)), tensors, on_meta=on_meta)


def size_of_results(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Return how many entries the largest tensor has that an operation returns, 0 if that depends on numbers.

    Args:
        func: An ATen operation.
        args: Its arguments.
        kwargs: Its keyword arguments.
    """
    try:
        out = _results(func, _key(args, kwargs, []))
    except Exception:  # what torch's fake tensors raise where they need numbers, or do not know an operation
        return 0
    return max([prod(x.shape) for x in (out if isinstance(out, (tuple, list)) else (out,)) if isinstance(x, Spec)], default=0)


def _key(args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor]) -> tuple[Any, ...]:
    return _frozen(args, tensors), tuple([(name, _frozen(x, tensors)) for name, x in kwargs.items()])


def _frozen(x: Any, tensors: list[Tensor]) -> Any:
    """Return a hashable copy of an argument; numbers carry their type, since ``1 == True == 1.0``."""
    if isinstance(x, Tensor):
        tensors.append(x)
        return x.spec if isinstance(x, Numberless) else _spec(x)
    if isinstance(x, (tuple, list)):
        return (type(x), *[_frozen(part, tensors) for part in x])
    if not isinstance(x, _SCALARS):
        raise TypeError(f"A {type(x).__name__} cannot be an argument of an operation that is captured in this way.")
    return (type(x), x)


def _thawed(x: Any, tensors: list[Tensor], *, on_meta: bool) -> Any:
    if isinstance(x, Spec):
        real = on_meta and x.device.type == "meta"
        return torch.empty_strided(x.shape, x.strides, dtype=x.dtype, device="meta") if real else _make(x)
    if isinstance(x, _Same):
        return tensors[x.position]
    return type(x)([_thawed(part, tensors, on_meta=on_meta) for part in x]) if isinstance(x, (tuple, list)) else x


@lru_cache(maxsize=8192)
def _results(func: Any, key: tuple[Any, ...]) -> Any:
    mode = FakeTensorMode()
    fakes: list[Tensor] = []
    args, kwargs = _faked(key[0], mode, fakes), {name: _faked(x, mode, fakes) for name, x in key[1]}
    with mode:
        return _described(func(*args, **kwargs), fakes)


def _faked(x: Any, mode: FakeTensorMode, fakes: list[Tensor]) -> Any:
    if isinstance(x, Spec):
        empty = torch.empty_strided(x.shape, x.strides, dtype=x.dtype, device="meta")
        fakes.append(FakeTensor(mode, empty, x.device))
        return fakes[-1]
    kind, *parts = x
    return kind(_faked(part, mode, fakes) for part in parts) if kind in (tuple, list) else parts[0]


def _described(x: Any, fakes: list[Tensor]) -> Any:
    if isinstance(x, Tensor):
        for position, fake in enumerate(fakes):
            if x is fake:
                return _Same(position)
        return Spec(*_checked(x))
    return type(x)([_described(part, fakes) for part in x]) if isinstance(x, (tuple, list)) else x


def _checked(x: Tensor) -> Iterator[Any]:
    if x.layout is not torch.strided or not all(type(n) is int for n in x.shape):
        raise TypeError("An operation returned a tensor whose shape is not known.")
    yield from (tuple(x.shape), x.stride(), x.dtype, x.device)
