"""Whatever a model returns, as a list of tensors, and how far two such lists are apart."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from parasym.core import BadInputError
from parasym.functional.tensors import map_tensors, tensors_in

_SMALLEST_SHARE = 1e-6


def leaves(output: Any) -> list[Tensor]:
    """Return the tensors of a nested output in a fixed order; ``None`` entries are left out.

    Tuples, lists, mappings, dataclasses and everything known to PyTorch's pytrees are entered.
    Numbers become tensors. A cache of keys and values, as decoders return it for their next call, is their state and no output.

    Args:
        output: The output of a model.

    Raises:
        BadInputError: If the output holds an object that cannot be compared.

    Example:
        >>> leaves((torch.ones(2), {"a": 3.0, "b": None}))
        [tensor([1., 1.]), tensor(3.)]
    """
    found: list[Tensor] = []
    for leaf in pytree.tree_leaves(output, is_leaf=is_cache):
        if is_cache(leaf):
            continue
        if isinstance(leaf, Tensor):
            found.append(leaf)
        elif isinstance(leaf, (bool, int, float, complex)):
            found.append(torch.tensor(leaf))
        elif isinstance(leaf, Mapping):
            found.extend(leaves(list(leaf.values())))
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            found.extend(leaves([getattr(leaf, field.name) for field in fields(leaf)]))
        elif leaf is not None and not isinstance(leaf, str):
            raise BadInputError(
                f"The model returned an object of type {type(leaf).__name__}, whose tensors cannot be compared. "
                "Wrap the model so that it returns tensors, or tuples or dictionaries of tensors."
            )
    return found


def prediction(output: Any) -> Tensor:
    """Return the tensor of an output that a loss is taken of: the output itself, its ``logits``, or its first tensor.

    Args:
        output: The output of a model: a tensor, a tuple, a mapping, or an object such as the outputs of HuggingFace.

    Raises:
        BadInputError: If there is no tensor in it.

    Example:
        >>> prediction({"loss": torch.tensor(0.5), "logits": torch.ones(2)}), prediction((torch.zeros(1), torch.ones(2)))
        (tensor([1., 1.]), tensor([0.]))
    """
    if isinstance(output, Tensor):
        return output
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    found = [logits] if isinstance(logits, Tensor) else leaves(output)
    if not found:
        raise BadInputError(f"The model must return a tensor to take a loss of, but returned a {type(output).__name__}.")
    return found[0]


def joined(outputs: Sequence[Any]) -> Any:
    """Return the outputs of several batches as those of one: their tensors joined along the first axes.

    Args:
        outputs: Outputs of one form.

    Raises:
        BadInputError: If they differ in form, or hold tensors without an axis of samples.
    """
    if len(outputs) == 1:
        return outputs[0]
    columns = [tensors_in(output) for output in outputs]
    if len({len(column) for column in columns}) > 1 or any(x.ndim == 0 for column in columns for x in column):
        raise BadInputError(
            "The outputs of the model must be tensors with samples along the first axis to be joined over batches. Return only "
            "such tensors, or give all samples as one batch."
        )
    parts = iter(zip(*columns, strict=True))
    return map_tensors(lambda _: torch.cat(next(parts)), outputs[0])


def is_cache(value: Any) -> bool:
    """Return whether a value is a cache of keys and values: of a class, or derived from one, whose name ends in ``Cache``.

    Args:
        value: Anything that a model returns.
    """
    return any([base.__name__.endswith("Cache") for base in type(value).__mro__])


def real(x: Tensor) -> Tensor:
    """Return ``x`` as real floating-point numbers; complex ones become pairs.

    Args:
        x: Any tensor.
    """
    if x.is_complex():
        return torch.view_as_real(x.resolve_conj())
    return x if x.is_floating_point() else x.to(torch.float64)


def output_error(base: list[Tensor], moved: list[Tensor], sizes: list[Tensor] | None = None) -> float:
    r"""Return :math:`\max_k \|a_k - b_k\|_\infty / \|a_k\|_\infty` over the outputs.

    The denominator is at least a millionth of the largest output, so that an output that is zero up
    to rounding is not compared with itself. Infinities in the same place are equal.

    Args:
        base: Outputs :math:`a`.
        moved: Outputs :math:`b`.
        sizes: Outputs whose sizes errors are relative to; those of ``base`` if ``None``.

    Returns:
        The error; infinite if the shapes differ or only ``moved`` has a NaN; NaN if ``base`` has one.

    Example:
        >>> output_error([torch.tensor([1.0, 2.0])], [torch.tensor([1.0, 2.5])])
        0.25
        >>> output_error([torch.tensor([1.0])], [torch.tensor([float("nan")])])
        inf
    """
    if [a.shape for a in base] != [b.shape for b in moved]:
        return float("inf")
    if any(bool(real(a).isnan().any()) for a in base):
        return float("nan")
    pairs = [(real(a), real(b)) for a, b in zip(base, moved, strict=True) if a.numel()]
    scales = [_largest(real(x)) for x in sizes or base if x.numel()]
    floor = max(scales, default=0.0) * _SMALLEST_SHARE
    errors = [_difference(a, b) / (max(scale, floor) or 1.0) for (a, b), scale in zip(pairs, scales, strict=True)]
    return max(errors, default=0.0)


def _largest(a: Tensor) -> float:
    finite = a[a.isfinite()]
    return float(finite.detach().abs().max()) if finite.numel() else 0.0


def _difference(a: Tensor, b: Tensor) -> float:
    difference = torch.where(a == b, torch.zeros_like(a), (a - b).abs())
    return float(torch.nan_to_num(difference, nan=float("inf")).max())
