"""Loss and accuracy along the segment between two models."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from parasym.core import BadInputError
from parasym.core.arguments import Model, as_module, as_params
from parasym.functional import batches_of, reestimate
from parasym.functional.reading import Data
from parasym.landscape.evaluate import evaluate
from parasym.landscape.loss import Loss
from parasym.landscape.samples import samples
from parasym.landscape.segment import check_architecture, check_segment, interpolate


@dataclass(frozen=True)
class Barrier:
    r"""Loss and accuracy at points of the segment :math:`(1-t)\,a + t\,b`.

    Attributes:
        t: Positions, from 0 (``a``) to 1 (``b``).
        loss: Mean loss at each.
        accuracy: Part of the targets predicted at each; empty if the targets are not classes.
    """

    t: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]

    @property
    def midpoint(self) -> float:
        r"""The midpoint barrier :math:`L(\tfrac12) - \tfrac12(L(0) + L(1))`."""
        middle = self.t.index(0.5)
        return self.loss[middle] - (self.loss[0] + self.loss[-1]) / 2

    @property
    def maximum(self) -> float:
        r"""The largest excess over the chord, :math:`\max_t L(t) - ((1-t) L(0) + t L(1))`; at least 0."""
        return max(y - ((1 - t) * self.loss[0] + t * self.loss[-1]) for t, y in zip(self.t, self.loss, strict=True))

    @property
    def midpoint_accuracy(self) -> float:
        r"""The loss of accuracy at the midpoint, :math:`\tfrac12(A(0) + A(1)) - A(\tfrac12)`; NaN without classes."""
        if not self.accuracy:
            return float("nan")
        return (self.accuracy[0] + self.accuracy[-1]) / 2 - self.accuracy[self.t.index(0.5)]

    def __str__(self) -> str:
        """Return the barriers in one line."""
        text = f"barrier {self.midpoint:.4f} at the midpoint, {self.maximum:.4f} at most"
        return f"{text}; accuracy falls by {self.midpoint_accuracy:.4f}" if self.accuracy else text


def barrier(
    model: nn.Module,
    a: Model,
    b: Model,
    inputs: Any,
    targets: Tensor | None = None,
    *,
    points: int = 25,
    loss: Loss = nn.functional.cross_entropy,
    batch_size: int | None = 512,
    statistics: Data | None = None,
) -> Barrier:
    r"""Return loss and accuracy along the straight segment from ``a`` to ``b``.

    Every floating-point tensor is interpolated, buffers too; integers are those of ``a``. Points are evaluated together by
    ``torch.vmap`` where the model allows it and it is not measured to be slower (convolutions on a CPU), and one by one where
    not (in-place buffers, data-dependent control flow): the same numbers up to rounding. The model is evaluated in the mode it
    is in; put it in eval mode for dropout and stored statistics.

    Args:
        model: The model. Not modified.
        a: Parameters and buffers at ``t = 0``, or the module that has them.
        b: Parameters and buffers at ``t = 1``; move them with ``match`` first to see the barrier modulo symmetry.
        inputs: All inputs, as :func:`parasym.functional.example_call` reads them, with samples along the first axes; or, without
            ``targets``, batches of inputs and labels, as a ``DataLoader`` gives and :func:`parasym.functional.batch_call` reads
            them.
        targets: Targets of shape ``[samples, ...]``; integers where the outputs have shape ``[samples, classes, ...]`` give
            accuracies.
        points: Number of points, odd so that the midpoint is one of them.
        loss: Mean loss of outputs and targets. Losses of ``torch.nn`` and ``torch.nn.functional``, also with weights of classes
            or an ignored class, are summed over batches, and get the output, its ``logits``, or its first tensor. Any other
            function is called once, with all that the model returns for all samples.
        batch_size: Samples per batch; ``None`` for one call on everything, as graph networks need it.
        statistics: Batches from which running statistics are estimated anew at every point; ``None`` interpolates them.

    Returns:
        The values along the segment.

    Raises:
        BadInputError: If ``points`` is even or below 3, if sizes differ, if ``a`` and ``b`` do not fit, or if they are of
            different architectures: a constant of the model, such as a mask, differs.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> x = torch.ones(4, 1)
        >>> one, minus = {"weight": torch.ones(1, 1)}, {"weight": -torch.ones(1, 1)}
        >>> barrier(model, one, minus, x, x, points=3, loss=nn.functional.mse_loss).loss
        (0.0, 1.0, 4.0)

    References:
        Frankle et al. Linear mode connectivity and the lottery ticket hypothesis. ICML 2020, https://arxiv.org/abs/1912.05671
    """
    call = "barrier(model, a, b, inputs, targets)"
    model, a, b = as_module(model, "model", call), as_params(a, "a", call), as_params(b, "b", call)
    if points < 3 or points % 2 == 0:
        raise BadInputError(f"Argument `points` must be odd and at least 3, so that the midpoint is among them, but is {points}.")
    check_segment(model, a, b)
    t = torch.linspace(0, 1, points, dtype=torch.float64)
    batches = samples(model, inputs, targets, batch_size, a)
    check_architecture(model, a, b, batches)
    if statistics is None:
        losses, hits = evaluate(model, a, b, t, batches, loss)
    else:
        renewing = list(batches_of(statistics, model, name="statistics"))
        rows = []
        for s in t:
            point = reestimate(model, interpolate(a, b, s), renewing)
            rows.append(evaluate(model, point, point, torch.zeros(1), batches, loss))
        losses, hits = torch.cat([r[0] for r in rows]), torch.cat([r[1] for r in rows])
    accuracy = () if bool(hits.isnan().any()) else tuple(hits.tolist())
    return Barrier(tuple(t.tolist()), tuple(losses.tolist()), accuracy)
