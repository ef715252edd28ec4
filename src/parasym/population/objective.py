"""Mean losses of many networks, with label smoothing of each network's own."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn.functional import cross_entropy, log_softmax

from parasym.core import BadInputError

Loss = Callable[[Tensor, Tensor], Tensor]
IGNORED = -100
"""The label of examples that ``torch.nn.functional.cross_entropy`` leaves out of the mean."""


@dataclass(frozen=True)
class Objective:
    r"""A mean loss, evaluated for one network or for many.

    With smoothing :math:`s` the cross-entropy is :math:`(1-s)` times that of the label plus :math:`s` times the mean over all
    classes, as in ``torch.nn.functional.cross_entropy``, but :math:`s` may differ from network to network.

    Attributes:
        loss: Mean loss of outputs and labels of one batch.
        smooth: Whether any network has label smoothing.

    Raises:
        BadInputError: If another loss than the cross-entropy is to be smoothed.
    """

    loss: Loss
    smooth: bool

    def __post_init__(self) -> None:
        if self.smooth and self.loss is not cross_entropy:
            raise BadInputError(
                "Field `smoothing` belongs to the cross-entropy, but argument `loss` is another. "
                "Set it to 0, or put it into the loss."
            )

    def one(self, outputs: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Return the loss of one network.

        Args:
            outputs: Of shape ``[n, ...]``.
            labels: Of shape ``[n, ...]``.
            smoothing: Of the labels.
        """
        if self.smooth:
            return cross_entropy(outputs, labels, label_smoothing=smoothing)
        return self.loss(outputs, labels)

    def many(self, outputs: Tensor, labels: Tensor, smoothing: Tensor, *, shared: bool) -> Tensor:
        """Return the losses of many networks, of shape ``[networks]``.

        Args:
            outputs: Of shape ``[networks, n, ...]``.
            labels: Of shape ``[networks, n, ...]``, or ``[n, ...]`` if they are shared.
            smoothing: Of shape ``[networks]``.
            shared: Whether all networks have the same labels.

        Raises:
            RuntimeError: If it cannot be done together; a loop can.
        """
        classes = outputs.ndim == 3 and labels.ndim == 2 - shared and not labels.is_floating_point()
        if self.loss is not cross_entropy or not classes:
            if self.smooth:
                raise RuntimeError("label smoothing together needs outputs of shape [n, classes] and labels of shape [n]")
            return vmap(self.loss, in_dims=(0, None if shared else 0))(outputs, labels)
        # One call is twice as fast as vmap over the loss, and with classes before examples it is vectorized over the latter.
        labels = labels.expand(outputs.shape[:2]) if shared else labels
        each = cross_entropy(outputs.transpose(1, 2), labels, reduction="none")
        counted = labels != IGNORED
        number = counted.sum(dim=1)
        flat = each.sum(dim=1) / number
        if not self.smooth:
            return flat
        uniform = -(log_softmax(outputs, dim=2).mean(dim=2) * counted).sum(dim=1) / number
        return (1 - smoothing) * flat + smoothing * uniform

    def slopes(self, outputs: Tensor, labels: Tensor, smoothing: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return the losses of many networks, of shape ``[networks]``, and the gradients of each with respect to its outputs.

        For the cross-entropy of :math:`n` examples and :math:`C` classes with probabilities :math:`p` the gradient is

        .. math::
            \tfrac1n \bigl(p_c - (1-s)\,[c = y] - s / C\bigr);

        written out it takes a quarter of the time that autograd takes for small batches. For any other loss autograd is asked.

        Args:
            outputs: Of shape ``[networks, classes, n]``, examples last. Not modified.
            labels: Of shape ``[networks, n, ...]``; none is to be ignored.
            smoothing: Of shape ``[networks]``.
        """
        if self.loss is not cross_entropy or labels.ndim != 2 or labels.is_floating_point():
            outputs = outputs.detach().requires_grad_()
            losses = self.many(outputs.transpose(1, 2), labels, smoothing, shared=False)
            return losses.detach(), torch.autograd.grad(losses.sum(), outputs, allow_unused=True, materialize_grads=True)[0]
        _, classes, n = outputs.shape
        logs, index = log_softmax(outputs, dim=1), labels[:, None]
        found = logs.gather(1, index)
        losses, slopes, of_labels = -found.mean(dim=(1, 2)), logs.exp(), found.exp()
        if self.smooth:
            each = smoothing[:, None, None].to(logs)
            losses = (1 - smoothing) * losses - smoothing * logs.mean(dim=(1, 2))
            slopes, of_labels = slopes - each / classes, of_labels + each - each / classes
        return losses, slopes.scatter_(1, index, of_labels - 1).div_(n)
