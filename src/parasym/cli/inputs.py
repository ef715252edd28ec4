"""Inputs for a model from shapes on the command line."""

import re

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.functional import Call

_FORM = re.compile(r"^(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*)(?::(?P<dtype>\w+))?(?:<(?P<below>\d+))?$")
_FLOATS = ("float32", "float64", "float16", "bfloat16")
_INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
DTYPES = (*_FLOATS, *_INTEGERS, "bool")


def parse_inputs(specs: list[str], *, dtype: torch.dtype, generator: torch.Generator) -> Call:
    """Return random inputs of the given shapes: normal numbers, or tokens below a bound.

    Args:
        specs: As in ``1x3x224x224``, ``1x16:int64<1000``, ``mask=1x16:bool``; a name makes it a keyword argument.
        dtype: Precision of those without a dtype.
        generator: Source of randomness, on the CPU.

    Raises:
        BadInputError: If one cannot be read, or has an unknown dtype.

    Example:
        >>> call = parse_inputs(["2x3", "ids=1x4:int64<9"], dtype=torch.float32, generator=torch.manual_seed(0))
        >>> print(call)
        2x3:float32, ids=1x4:int64
    """
    args, kwargs = [], {}
    for spec in specs:
        match = _FORM.match(spec.replace(" ", ""))
        if match is None:
            raise BadInputError(
                f"Input `{spec}` must be a shape such as `1x3x224x224`, with a dtype such as `1x16:int64<1000` for "
                "tokens below 1000, or a name such as `mask=1x16:bool` for a keyword argument."
            )
        value = _random(match, spec, dtype, generator)
        if match["name"]:
            kwargs[match["name"]] = value
        else:
            args.append(value)
    return Call(tuple(args), kwargs)


def _random(match: re.Match[str], spec: str, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    shape = [int(n) for n in match["shape"].split("x")]
    name = match["dtype"]
    if name is not None and name not in DTYPES:
        raise BadInputError(f"Input `{spec}` has the dtype `{name}`, which must be one of {', '.join(DTYPES)}.")
    if name == "bool":
        return torch.rand(shape, generator=generator) < 0.5
    if name in _INTEGERS or (name is None and match["below"]):
        below = int(match["below"] or 2)
        if below < 1:
            raise BadInputError(f"Input `{spec}` must have tokens below a number of at least 1.")
        return torch.randint(below, shape, generator=generator).to(getattr(torch, name or "int64"))
    if match["below"]:
        raise BadInputError(f"Input `{spec}` has a bound `<{match['below']}`, which is for integers only.")
    return torch.randn(shape, generator=generator).to(getattr(torch, name) if name else dtype)
