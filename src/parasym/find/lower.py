"""From ATen operations to a program in the small language, one operation at a time."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from parasym.core import CaptureError
from parasym.find.capture import numbers
from parasym.find.numberless import Numberless
from parasym.find.tidy import tidied
from parasym.find.where import bug
from parasym.rules import BY_NAME, Builder, Program, Unsupported, Value
from parasym.rules.program import Fn, Kind, Origin
from parasym.rules.rotary import ComplexValue
from parasym.symmetry import Uncovered

_FOLD_LIMIT = 1 << 24
_UNSET = {"empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided"}
VIEWS = {
    "_unsafe_view",
    "as_strided",
    "split_with_sizes",
    "view_as_real",
    "view_as_complex",
    "view",
    "reshape",
    "transpose",
    "permute",
    "slice",
    "select",
    "expand",
    "t",
    "unsqueeze",
    "squeeze",
    "alias",
    "narrow",
    "split",
    "chunk",
    "unbind",
    "flatten",
    "unflatten",
    "detach",
    "dropout",  # these return their operand where they do nothing
    "feature_dropout",
    "alpha_dropout",
}


@dataclass
class Lowered:
    """A program, and the operations that no rule covers."""

    program: Program
    uncovered: list[Uncovered] = field(default_factory=list)
    drawing: set[str] = field(default_factory=set)
    """Names of the operations that draw random numbers."""
    bugs: list[Uncovered] = field(default_factory=list)
    """Operations whose rule has failed."""


def may_alias(target: torch._ops.OpOverload) -> bool:
    """Return whether the result of an operation may share memory with its operand.

    Args:
        target: An ATen operation.
    """
    facts = facts_of(target)
    return facts.view or facts.name in VIEWS


def writes(target: torch._ops.OpOverload) -> tuple[bool, bool]:
    """Return whether an operation writes into its first argument, and whether into another one.

    Args:
        target: An ATen operation.
    """
    facts = facts_of(target)
    return facts.in_place, facts.elsewhere


class Call(NamedTuple):
    """An operation as it is called.

    Attributes:
        target: The operation.
        args: Its arguments, with values for tensors.
        kwargs: Its keyword arguments.
        example: What it returns: tensors of which only shapes and types matter.
        node: Where it was called, if that is known.
    """

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    example: Any
    node: fx.Node | None = None


class Lowering:
    """Writes the program of a model operation by operation.

    Args:
        place: Says which module is running and at which line, where a call does not.
    """

    def __init__(self, place: Callable[[], tuple[str, str]] = lambda: ("", "")) -> None:
        self.builder = Builder()
        self.uncovered: list[Uncovered] = []
        self.bugs: list[Uncovered] = []
        self._place = place

    def leaf(self, example: Tensor, kind: Kind, name: str) -> Value:
        """Return a new parameter, buffer or input."""
        value = self.builder.value(_shape(example), kind, real=is_real(example), name=name)
        value.truth = example.dtype is torch.bool
        return value

    def constant(self, data: Tensor | None, example: Tensor, name: str) -> Value:
        """Return a constant whose numbers may not be known."""
        return self.builder.constant(data, _shape(example), real=is_real(example), name=name)

    def known(self, data: Tensor) -> Value:
        """Return a constant by its numbers."""
        return self.builder.constant(numbers(data), data.shape, real=is_real(data))

    def output(self, value: Any) -> None:
        """Say that the model returns a value."""
        value = value.pair if isinstance(value, ComplexValue) else value
        if isinstance(value, Value):
            self.builder.program.outputs.append(value)

    def finish(self) -> Lowered:
        """Return the program."""
        return Lowered(tidied(self.builder.program), self.uncovered, self.builder.drawing, self.bugs)

    def call(self, call: Call) -> Any:
        """Return the values of an operation."""
        name, args, kwargs = facts_of(call.target).name, call.args, call.kwargs
        folded = self._fold(call, name)
        if folded is not None:
            return folded
        if call.example is None:
            return None
        self.builder.at(self._origin(call))
        if _is_empty(call.example):
            return self._nothing(call.example)
        rule = BY_NAME.get(name) or BY_NAME.get(name.rstrip("_"))
        if rule is None:
            return self.opaque(call, "no rule covers this operation")
        try:
            self.builder.begin(name, args, kwargs)
            if kwargs:
                args, kwargs = _arguments(call, rule.lower)
            return self._checked(call, rule.lower(self.builder, *args, **kwargs))
        except Unsupported as error:
            return self.opaque(call, f"its rule does not cover {error}")
        except Exception as error:
            if isinstance(error, TypeError) and not _fits(rule.lower, (self.builder, *args), kwargs):
                return self.opaque(call, "its rule does not cover these arguments")
            return self._crashed(call, error)

    def _crashed(self, call: Call, error: Exception) -> Any:
        """Pin what a rule failed on, which may not happen; so that it is found, it is more than an operation without a rule."""
        self.bugs.append(self._uncovered(call, bug(error, "its rule")))
        return self.opaque(call, self.bugs[-1].reason)

    def _nothing(self, example: Any) -> Any:
        """Return constants for results without entries: nothing can be told from them."""
        if isinstance(example, Tensor):
            return self.builder.filled(_shape(example), real=is_real(example))
        return tuple([self._nothing(part) if isinstance(part, Tensor) else part for part in example])

    def _checked(self, call: Call, out: Any) -> Any:
        """Return ``out`` if its shapes are what the graph says; a rule that disagrees is not believed."""
        example = call.example
        if isinstance(out, Value) and isinstance(example, Tensor):
            expected = _shape(example)
            if out.shape != expected:
                return self.opaque(call, f"its rule expected shape {out.shape} but the graph says {expected}")
            return out if out.real and _is_exact(example.dtype) else self._retyped(call, out, example.dtype)
        many = isinstance(example, (tuple, list))
        expected = [_shape(e) for e in example if isinstance(e, Tensor)] if many else [_shape(example)]
        found = [o.shape for o in out] if isinstance(out, tuple) else [out.shape if isinstance(out, Value) else None]
        if isinstance(out, ComplexValue) or (
            isinstance(out, tuple) and found[: len(expected)] != expected and len(found) != len(expected)
        ):
            return out
        if any(f != e for f, e in zip(found[:1], expected[:1], strict=True)):
            return self.opaque(call, f"its rule expected shape {found[0]} but the graph says {expected[0]}")
        return out

    def _retyped(self, call: Call, out: Value, dtype: torch.dtype) -> Value:
        """Return a value of a type that real numbers are rounded to, or that holds none."""
        touched = _values((call.args, call.kwargs))
        out = self._rounded(out, dtype) if any(v.real for v in touched) else out
        if not out.real and (dtype is torch.bool) != out.truth:
            if out.kind is not Kind.ACTIVATION or any(out is v for v in touched):
                out = self.builder.pointwise(Fn.GENERIC, out, real=False)
            out.truth = not out.truth
        return out

    def _rounded(self, out: Value, dtype: torch.dtype) -> Value:
        """Return a value rounded to its type: 16 bits are taken for exact, 8 bits and whole numbers are steps.

        Formats of 8 bits have the same steps on both sides of zero, but for the one that has no sign.
        """
        if not out.real or _is_exact(dtype):
            return out
        if dtype.itemsize == 1 and dtype.is_floating_point:
            return self.builder.pointwise(Fn.GENERIC if dtype is torch.float8_e8m0fnu else Fn.ODD, out)
        return self.builder.pointwise(Fn.GENERIC, out, real=False)

    def _fold(self, call: Call, name: str) -> Any:
        """Return the numbers of an operation on constants only, ``None`` if it is not one."""
        example = call.example
        if not isinstance(example, Tensor) or _draws(call.target, name) or not _all_known((call.args, call.kwargs)):
            return None
        if example.numel() > _FOLD_LIMIT:
            return None
        to_data = lambda x: x.data if isinstance(x, Value) else torch.device("cpu") if isinstance(x, torch.device) else x  # noqa: E731
        plain_args, plain_kwargs = _map((call.args, call.kwargs), to_data)
        if facts_of(call.target).in_place and isinstance(plain_args[0], Tensor):
            plain_args = (plain_args[0].clone(), *plain_args[1:])  # the model's own buffer stays as it is
        try:
            data = call.target(*plain_args, **plain_kwargs)
        except (RuntimeError, TypeError, NotImplementedError):
            return None
        known = isinstance(data, Tensor) and numbers(data) is not None and tuple(data.shape) == _shape(example)
        return self.known(data) if known else None

    def opaque(self, call: Call, reason: str) -> Any:
        """Return new values for what an operation returns, and pin all that it touches."""
        b = self.builder
        if not isinstance(call.target, torch._ops.OpOverload):
            b.at(self._origin(call))
        if torch.Tag.nondeterministic_seeded in getattr(call.target, "tags", ()):
            b.drawing.add(facts_of(call.target).name)
        inputs = _values((call.args, call.kwargs))
        touched = [v for v in inputs if v.index not in b.data_only]
        if touched:
            self.uncovered.append(self._uncovered(call, reason))
        if inputs:
            b.pin(*inputs, reason=reason, uncovered=True)
        example = call.example

        def fresh(x: Any) -> Any:
            if not isinstance(x, Tensor):
                return x
            # What is made of data alone, such as random numbers, is one more input.
            value = b.value(_shape(x), Kind.ACTIVATION if touched else Kind.INPUT, real=is_real(x))
            if touched:
                b.pin(value, reason=reason, uncovered=True)
            return value

        return tuple(fresh(x) for x in example) if isinstance(example, (tuple, list)) else fresh(example)

    def _uncovered(self, call: Call, reason: str) -> Uncovered:
        _, module, source = self._origin(call)
        return Uncovered(str(call.target), module, source, reason)

    def _origin(self, call: Call) -> Origin:
        """Return where an operation is called."""
        if call.node is None:
            return Origin(call.target, *self._place())
        stack = call.node.meta.get("nn_module_stack") or {}
        module = next(reversed([path for path, _ in stack.values()]), "") if stack else ""
        trace = (call.node.meta.get("stack_trace") or "").strip().split("\n")
        places = [line.strip() for line in trace if line.strip().startswith("File ")]
        source = ""
        if places:
            parts = places[-1].split('"')
            line = parts[2].split("line ")[-1].split(",")[0] if len(parts) > 2 else ""
            source = f"{parts[1]}:{line}"
        return Origin(call.target, module, source)


def _arguments(call: Call, lower: Callable[..., Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return positional arguments in the order of the schema, and those keywords that the rule takes."""
    args, kwargs = call.args, call.kwargs
    schema = call.target._schema.arguments
    positional = [a for a in schema if not a.kwarg_only]
    out = list(args)
    given = max([k for k, a in enumerate(positional) if a.name in kwargs], default=-1)
    out += [kwargs.get(a.name, a.default_value) for a in positional[len(args) : given + 1]]
    named = {a.name: kwargs[a.name] for a in schema if a.kwarg_only and a.name in kwargs}
    parameters = _parameters(lower)
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        named = {k: v for k, v in named.items() if k in parameters}
    return out, named


@lru_cache(maxsize=1024)
def _parameters(lower: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(lower).parameters


class Facts(NamedTuple):
    """What the schema of an operation says."""

    name: str
    in_place: bool
    """It writes into its first argument."""
    elsewhere: bool
    """It writes into another argument, as ``out=`` does; the statistics of a normalization are known."""
    view: bool
    """Its result may share memory with its operand."""


@lru_cache(maxsize=4096)
def facts_of(target: torch._ops.OpOverload) -> Facts:
    """Return what the schema of an operation says.

    Args:
        target: An ATen operation.
    """
    schema = target._schema
    name = schema.name.split("::")[-1]
    in_place = schema.is_mutable and name.endswith("_") and not name.startswith("_")
    elsewhere = schema.is_mutable and not in_place and "batch_norm" not in name
    view = not schema.is_mutable and any(out.alias_info is not None for out in schema.returns)
    return Facts(name, in_place, elsewhere, view)


def _draws(target: torch._ops.OpOverload, name: str) -> bool:
    """Return whether an operation makes other numbers every time."""
    return name in _UNSET or torch.Tag.nondeterministic_seeded in target.tags


def _shape(x: Tensor) -> tuple[int, ...]:
    return x.spec.shape if isinstance(x, Numberless) else tuple(hint(n) for n in x.shape)


def hint(x: Any) -> Any:
    """Return the number behind a symbolic one.

    Args:
        x: An argument of an operation.

    Raises:
        CaptureError: If it depends on the values of a tensor.
    """
    if isinstance(x, torch.SymInt):
        if x.node.hint is None:
            raise CaptureError(
                "The length of an axis depends on the values of a tensor (as in `x[mask]` or `nonzero`), so its channels "
                "cannot be told apart. Use torch.where, or multiply by the mask, to keep the shape."
            )
        return int(x.node.hint)
    if isinstance(x, torch.SymFloat):
        return float(x.node.hint)
    return x


def is_real(x: Tensor) -> bool:
    """Return whether a tensor holds floating-point or complex numbers.

    Args:
        x: Any tensor.
    """
    return torch.is_floating_point(x) or torch.is_complex(x)


def _is_exact(dtype: torch.dtype) -> bool:
    """Whether a type holds real numbers, and more than steps."""
    return (dtype.is_floating_point and dtype.itemsize > 1) or dtype.is_complex


def _is_empty(example: Any) -> bool:
    """Whether all that an operation returns has an axis of length 0."""
    if isinstance(example, Numberless):
        return 0 in example.spec.shape
    parts = example if isinstance(example, (tuple, list)) else (example,)
    shapes = [part.shape for part in parts if isinstance(part, Tensor)]
    # A length that depends on the values of a tensor must not be compared with a number.
    return bool(shapes) and all(any(type(n) is int and n == 0 for n in shape) for shape in shapes)


def _map(x: Any, fn: Callable[[Any], Any]) -> Any:
    if isinstance(x, (tuple, list)):
        return type(x)(_map(v, fn) for v in x)
    if isinstance(x, dict):
        return {k: _map(v, fn) for k, v in x.items()}
    return fn(x)


def _values(x: Any) -> list[Value]:
    if isinstance(x, Value):
        return [x]
    if isinstance(x, ComplexValue):
        return [x.pair]
    if isinstance(x, (tuple, list)):
        return [v for item in x for v in _values(item)]
    if isinstance(x, dict):
        return _values(list(x.values()))
    return []


def _all_known(x: Any) -> bool:
    """Whether all values among arguments are constants whose numbers are known."""
    if isinstance(x, Value):
        return x.kind is Kind.CONSTANT and x.data is not None
    if isinstance(x, (tuple, list)):
        for item in x:  # the first argument mostly tells
            if not _all_known(item):
                return False
        return True
    if isinstance(x, dict):
        return all([_all_known(item) for item in x.values()])
    return not isinstance(x, ComplexValue)


def _fits(lower: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a rule takes so many arguments by these names."""
    try:
        inspect.signature(lower).bind(*args, **kwargs)
    except TypeError:
        return False
    return True
