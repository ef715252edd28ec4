"""Mean losses of many networks, with label smoothing of each network's own."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.func import vmap
from torch.nn.functional import cross_entropy, log_softmax

from parasym.core import BadInputError

Loss = Callable[[Tensor, Tensor], Tensor]


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
        flat = cross_entropy(outputs.transpose(1, 2), labels, reduction="none").mean(dim=1)
        if not self.smooth:
            return flat
        uniform = -log_softmax(outputs, dim=2).mean(dim=(1, 2))
        return (1 - smoothing) * flat + smoothing * uniform
