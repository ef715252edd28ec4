"""The mean loss over all samples, from batches: sums where torch says how it averages, one call on everything where not."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.core import BadInputError
from parasym.functional.outputs import joined, prediction

Loss = Callable[[Any, Tensor], Tensor]
IGNORED = -100
"""The label that ``torch.nn.functional.cross_entropy`` leaves out of the mean."""

LOSSES: dict[str, Loss] = {
    "cross_entropy": functional.cross_entropy,
    "nll_loss": functional.nll_loss,
    "mse_loss": functional.mse_loss,
    "l1_loss": functional.l1_loss,
    "smooth_l1_loss": functional.smooth_l1_loss,
    "huber_loss": functional.huber_loss,
    "binary_cross_entropy": functional.binary_cross_entropy,
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
}
"""Losses of torch by name, each the mean over elements, or over those classes that count."""

_OF_CLASSES = (functional.cross_entropy, functional.nll_loss)


@dataclass(frozen=True)
class Averaged:
    """A loss of torch that averages over elements, or over classes with weights.

    Attributes:
        each: Returns the loss of every element, before the mean.
        of_classes: Whether targets may be classes, of which the mean is weighted.
        weight: Weights of the classes; equal ones if ``None``.
        ignored: The class that does not count.
    """

    each: Loss
    of_classes: bool
    weight: Tensor | None = None
    ignored: int = IGNORED

    def sums(self, outputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Return the sum of the losses of a batch and what a mean divides it by.

        Args:
            outputs: Of a batch.
            targets: Of the batch.
        """
        each = self.each(outputs, targets)
        total = float(each.sum(dtype=torch.float64))
        if not self.of_classes or targets.is_floating_point():
            return total, each.numel()
        counted = targets[targets != self.ignored]
        if self.weight is None:
            return total, counted.numel()
        return total, float(self.weight.to(targets.device)[counted].sum(dtype=torch.float64))


def averaged(loss: Loss) -> Averaged | None:
    """Return how a loss averages, or ``None`` where only the loss itself knows.

    Known are the losses of ``torch.nn`` and ``torch.nn.functional``, also with further arguments set by ``functools.partial``, as
    long as they average.

    Args:
        loss: Takes outputs and targets.

    Example:
        >>> loss = partial(functional.cross_entropy, weight=torch.tensor([1.0, 3.0]))
        >>> averaged(loss).sums(torch.zeros(3, 2), torch.tensor([0, 1, 1]))[1]
        7.0
        >>> averaged(lambda outputs, targets: (outputs - targets).abs().max()) is None
        True
    """
    if isinstance(loss, nn.Module):
        of_torch = type(loss).__module__ == "torch.nn.modules.loss"
        if not of_torch or getattr(loss, "reduction", None) != "mean":
            return None
        each = copy.copy(loss)
        each.reduction = "none"  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
        of_classes = isinstance(loss, (nn.CrossEntropyLoss, nn.NLLLoss))
        return Averaged(each, of_classes, getattr(loss, "weight", None), getattr(loss, "ignore_index", IGNORED))
    function, given = (loss.func, loss.keywords) if isinstance(loss, partial) and not loss.args else (loss, {})
    name = getattr(function, "__name__", "")
    if getattr(functional, name, None) is not function or given.get("reduction", "mean") != "mean":
        return None
    if "reduction" not in inspect.signature(function).parameters:
        return None
    each = partial(function, **{**given, "reduction": "none"})
    return Averaged(each, function in _OF_CLASSES, given.get("weight"), given.get("ignore_index", IGNORED))


@dataclass
class Total:
    """The loss and the accuracy of one model, batch by batch.

    A loss of torch is summed. Any other function is called once, on the outputs of all batches, which are kept until then: the
    mean of its means over batches would be another number wherever batches differ in size or in what counts.

    Attributes:
        loss: Mean loss.
    """

    loss: Loss
    _sums: Averaged | None = field(init=False)
    _total: float = 0.0
    _count: float = 0.0
    _hits: int = 0
    _labels: int = 0
    _kept: list[tuple[Any, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sums = averaged(self.loss)

    def add(self, output: Any, targets: Tensor) -> None:
        """Add a batch.

        Args:
            output: What the model returns.
            targets: Its targets.
        """
        tensor = prediction(output)
        if self._sums is None:
            self._kept.append((output, targets))
        else:
            total, count = self._sums.sums(tensor, targets)
            self._total, self._count = self._total + total, self._count + count
        if are_classes(tensor, targets):
            counted = targets != (IGNORED if self._sums is None else self._sums.ignored)
            self._hits += int((tensor.argmax(1) == targets)[counted].sum())
            self._labels += int(counted.sum())

    def mean(self) -> float:
        """Return the mean loss over everything added.

        Raises:
            BadInputError: If the loss is no number.
        """
        if self._sums is not None:
            return self._total / self._count if self._count else float("nan")
        outputs, targets = (list(column) for column in zip(*self._kept, strict=True))
        value = self.loss(joined(outputs), targets[0] if len(targets) == 1 else torch.cat(targets))
        if not isinstance(value, (Tensor, float, int)) or (isinstance(value, Tensor) and value.numel() != 1):
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise BadInputError(f"Argument `loss` must return one number, the mean over the samples, but returned {shape}.")
        return float(value)

    def accuracy(self) -> float:
        """Return the share of classes that are predicted; NaN if targets are none."""
        return self._hits / self._labels if self._labels else float("nan")


def are_classes(outputs: Tensor, targets: Tensor) -> bool:
    """Return whether targets are classes of outputs whose axis 1 has a score for each.

    Args:
        outputs: Of shape ``[samples, classes, ...]``.
        targets: Of shape ``[samples, ...]``.
    """
    if targets.is_floating_point() or targets.dtype == torch.bool or outputs.ndim != targets.ndim + 1:
        return False
    return outputs.shape[:1] + outputs.shape[2:] == targets.shape
