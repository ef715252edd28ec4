"""The operations that a program may call: torch's own that compute tensors from tensors and numbers, and arithmetic of sizes."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch

from parasym.checkpoint.exported.refused import Refused

PREFIX = "torch.ops.aten."
NUMBERS: Mapping[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in "add sub mul floordiv truediv mod pow neg pos eq ne lt le gt ge and_ or_ lshift rshift not_ getitem".split()
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc", "sqrt")},
    **{
        f"torch.{name}": getattr(torch, name)
        for name in ("sym_int", "sym_float", "sym_max", "sym_min", "sym_not", "sym_ite", "sym_sum")
        if hasattr(torch, name)
    },
}
"""What is done to sizes, by name; nothing else is looked up."""

CHECKS = ("_assert", "_functional_assert", "sym_constrain_range", "_functional_sym_constrain")
"""How operations begin that return nothing and only look."""

KINDS = frozenset(
    "Tensor int bool float number complex Device str List[Tensor] List[int] List[bool] List[float] List[number] List[complex] "
    "List[Optional[Tensor]] Generator".split()
)
"""Types of arguments: no storage, stream, file or object is among them."""

WORDS = frozenset(
    "rounding_mode reduce approximate padding_side norm mode ord interpolation driver p pad_mode UPLO padding equation indexing "
    "side assert_msg activation".split()
)
"""Arguments that are texts: choices and messages, and no name of a file."""


def find_operator(target: str) -> Callable[..., Any]:
    """Return the operation of a name.

    Args:
        target: As in ``torch.ops.aten.linear.default`` or ``_operator.mul``.

    Raises:
        Refused: If it is none of those that are called.

    Example:
        >>> find_operator("torch.ops.aten.relu.default")
        <OpOverload(op='aten.relu', overload='default')>
        >>> find_operator("torch.ops.aten.from_file.default")
        Traceback (most recent call last):
        parasym.checkpoint.exported.refused.Refused: it calls `torch.ops.aten.from_file.default`, ...
    """
    if target in NUMBERS:
        return NUMBERS[target]
    name, _, overload = target.removeprefix(PREFIX).partition(".")
    if not target.startswith(PREFIX) or not name.isidentifier() or not overload.isidentifier():
        raise Refused(f"it calls `{target}`, which is no operation of torch's own on tensors and numbers")
    packet = getattr(torch.ops.aten, name, None)
    found = getattr(packet, overload, None)
    if not isinstance(found, torch._ops.OpOverload):
        raise Refused(f"it calls `{target}`, which this version of torch does not have")
    if not _computes(found):
        raise Refused(f"it calls `{target}`, which does more than compute tensors from tensors and numbers")
    return found


def _computes(found: torch._ops.OpOverload) -> bool:
    schema = found._schema
    kinds = {argument.name: str(argument.type) for argument in schema.arguments}
    plain = {name: kind[9:-1] if kind.startswith("Optional[") else kind for name, kind in kinds.items()}
    if not all(kind in KINDS and (kind != "str" or name in WORDS) for name, kind in plain.items()):
        return False
    return bool(schema.returns) or schema.name.removeprefix("aten::").startswith(CHECKS)
