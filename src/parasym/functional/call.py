"""One call of a model: its arguments, in the form that every verb hands around."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.functional.tensors import map_tensors, tensors_in


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of one call of a model, taken as they stand.

    Every verb that takes inputs takes a call, and needs one only where :func:`example_call` and :func:`batch_call`, which read
    what people usually give, would read it otherwise.

    Attributes:
        args: Positional arguments.
        kwargs: Keyword arguments.
        labels: What a batch held besides, which is no argument.

    Example:
        >>> call = Call((torch.zeros(4, 3),), {"mask": torch.ones(4, dtype=torch.bool)})
        >>> print(call)
        4x3:float32, mask=4:bool
        >>> [str(part) for part in call.split(3)]
        ['3x3:float32, mask=3:bool', '1x3:float32, mask=1:bool']
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[Any, ...] = ()

    def __call__(self, model: Callable[..., Any]) -> Any:
        """Return what ``model`` returns.

        Args:
            model: Any module or function.
        """
        return model(*self.args, **self.kwargs)

    def __str__(self) -> str:
        """Return shapes and dtypes on one line."""
        shown = [_described(x) for x in self.args] + [f"{name}={_described(x)}" for name, x in self.kwargs.items()]
        return ", ".join(shown) or "nothing"

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors in it, also those inside of lists, dictionaries and objects."""
        return tensors_in((self.args, dict(self.kwargs)))

    @property
    def samples(self) -> int | None:
        """The length that the first axes of all tensors share; ``None`` if they do not, and so cannot be cut into batches."""
        lengths = {len(x) if x.ndim else -1 for x in self.tensors}
        return lengths.pop() if len(lengths) == 1 and lengths != {-1} else None

    def argument(self, position: int, name: str) -> Any:
        """Return one argument, however it was given; ``None`` if it was not.

        Args:
            position: Its place.
            name: Its name.
        """
        return self.args[position] if len(self.args) > position else self.kwargs.get(name)

    def map(self, fn: Callable[[Tensor], Any]) -> "Call":
        """Return the call with ``fn`` applied to every tensor.

        Args:
            fn: Takes a tensor, returns what to put in its place.
        """
        args, kwargs = map_tensors(fn, (self.args, dict(self.kwargs)))
        return Call(args, kwargs, self.labels)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Call":
        """Return the call on another device, its floating-point tensors (and complex ones alike) in another precision.

        Args:
            device: Where to; where it is if ``None``.
            dtype: Floating-point precision; as it is if ``None``.
        """
        return self.map(lambda x: cast(x.to(device), dtype))

    def like(self, params: Mapping[str, Tensor]) -> "Call":
        """Return the call on the device and in the precision of parameters; as it is if there are none of floating point.

        Args:
            params: Parameters by name; the first floating-point one counts.
        """
        first = next((x for x in params.values() if x.is_floating_point()), None)
        return self if first is None else self.to(first.device, first.dtype)

    def take(self, index: Tensor | slice) -> "Call":
        """Return the call on some samples: every tensor indexed along its first axis.

        Args:
            index: Which samples.
        """
        return self.map(lambda x: x[index])

    def joined(self, others: Sequence["Call"]) -> "Call":
        """Return the call with the tensors of others of the same form behind its own, along the first axes.

        Args:
            others: Further calls.
        """
        columns = iter(zip(self.tensors, *(other.tensors for other in others), strict=True))
        return self.map(lambda _: torch.cat(next(columns)))

    def split(self, size: int | None) -> list["Call"]:
        """Return the call cut along the first axis of its tensors.

        Args:
            size: Samples per part; ``None`` for one part.

        Raises:
            BadInputError: If the tensors have first axes of different lengths, of which nobody can tell which are samples.
        """
        if size is None:
            return [self]
        if self.samples is None:
            raise BadInputError(
                f"The inputs {self} must have equally many samples along their first axes to be cut into batches of {size}. "
                "Give batches that are cut already, or `batch_size=None` for one call on everything, as for a graph."
            )
        return [self.take(slice(k, k + size)) for k in range(0, self.samples, size)]


def cast(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Return ``x`` in ``dtype`` if it is floating point, in the matching complex type if complex, else as it is.

    Args:
        x: Any tensor.
        dtype: Floating-point precision; ``None`` for "as it is".
    """
    if dtype is None:
        return x
    if x.is_complex():
        return x.to(dtype.to_complex())
    return x.to(dtype) if x.is_floating_point() else x


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return "x".join(map(str, value.shape)) + ":" + str(value.dtype).removeprefix("torch.")
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_described, value))})"
    return type(value).__name__
