"""Loss, accuracy and distance along the segments of many networks at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from parasym.breaking import trainable_masks
from parasym.core import BadInputError, Params
from parasym.core.arguments import Model, as_models, as_module
from parasym.functional import batches_of, reestimate
from parasym.functional.reading import Data
from parasym.landscape.evaluate import evaluate, evaluate_many
from parasym.landscape.loss import Loss
from parasym.landscape.monotonicity import ROUNDING, Monotonicity, monotonicity, rounding_of
from parasym.landscape.samples import samples
from parasym.landscape.segment import check_architecture, check_segment, interpolate


@dataclass(frozen=True)
class Curve:
    r"""Loss, accuracy and distance at points of the segment :math:`(1-t)\,a + t\,b`.

    Attributes:
        t: Positions, from 0 to 1, equally far apart.
        loss: Mean loss at each; NaN everywhere if an end is not finite.
        accuracy: Share of right answers at each; empty if the targets are not classes.
        distance: Euclidean distance from ``a`` at each, over the entries of parameters that are trained.
        rounding: Relative difference of two losses that is none.
    """

    t: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    distance: tuple[float, ...]
    rounding: float = ROUNDING

    @property
    def monotonicity(self) -> Monotonicity:
        """How monotonic and how convex the loss is."""
        return monotonicity(self.loss, rounding=self.rounding)


def path(
    model: nn.Module,
    starts: Sequence[Model],
    ends: Sequence[Model],
    inputs: Any,
    targets: Tensor | None = None,
    *,
    points: int = 25,
    loss: Loss | Sequence[Loss] = nn.functional.cross_entropy,
    batch_size: int | None = 512,
    statistics: Data | None = None,
) -> list[Curve]:
    r"""Return loss, accuracy and distance along the segment from each start to its end.

    From initial to trained parameters this is linear interpolation as Goodfellow et al. define it. Points of many networks are
    evaluated together by ``torch.vmap`` where that works and is not slower, otherwise one by one: the same numbers up to
    rounding. A network that diverged gets a curve of NaN, so that it can be counted; see `summarize`. Otherwise as `barrier`.

    Args:
        model: The model, in the mode it is to be evaluated in. Not modified.
        starts: Parameters and buffers at ``t = 0``, or modules that have them, one for each network.
        ends: Parameters and buffers at ``t = 1``.
        inputs: Inputs, as `barrier` takes them.
        targets: Targets of shape ``[samples, ...]``, or ``None`` if ``inputs`` are batches with labels; classes give accuracies.
        points: Number of points, with both ends.
        loss: Mean loss, as `barrier` takes it, one for all or one for each network (label smoothing may differ).
        batch_size: Samples per batch; ``None`` for one call on everything.
        statistics: Batches from which running statistics are estimated anew at every point; ``None`` interpolates them.

    Returns:
        One curve for each network.

    Raises:
        BadInputError: If there are fewer than two points, or numbers of networks, samples or losses do not fit.

    Example:
        >>> model, x = nn.Linear(1, 1, bias=False), torch.ones(4, 1)
        >>> starts = [{"weight": torch.tensor([[0.0]])}, {"weight": torch.tensor([[3.0]])}]
        >>> ends = [{"weight": torch.tensor([[1.0]])}, {"weight": torch.tensor([[-1.0]])}]
        >>> for curve in path(model, starts, ends, x, x, points=3, loss=nn.functional.mse_loss):
        ...     print(curve.loss, curve.distance, curve.monotonicity.monotonic)
        (1.0, 0.25, 0.0) (0.0, 0.5, 1.0) True
        (4.0, 0.0, 4.0) (0.0, 2.0, 4.0) False

    References:
        Goodfellow, Vinyals, Saxe. Qualitatively characterizing neural network optimization problems. ICLR 2015,
        https://arxiv.org/abs/1412.6544
    """
    call = "path(model, starts, ends, inputs, targets)"
    model, starts, ends = as_module(model, "model", call), as_models(starts, "starts", call), as_models(ends, "ends", call)
    losses = [loss] * len(starts) if callable(loss) else list(loss)
    _check(starts, ends, points, losses)
    good = [k for k, (a, b) in enumerate(zip(starts, ends, strict=True)) if _finite(a) and _finite(b)]
    for k in good:
        check_segment(model, starts[k], ends[k])
    t = torch.linspace(0, 1, points, dtype=torch.float64)
    batches = samples(model, inputs, targets, batch_size, starts[0])
    for k in good:
        check_architecture(model, starts[k], ends[k], batches)
    values, hits = torch.full((2, len(starts), points), torch.nan, dtype=torch.float64)
    if statistics is None:
        if good:
            chosen = [starts[k] for k in good], [ends[k] for k in good]
            values[good], hits[good] = evaluate_many(model, *chosen, t, batches, [losses[k] for k in good])
    else:
        renewing = list(batches_of(statistics, model, name="statistics"))
        for k in good:
            for j, s in enumerate(t):
                point = reestimate(model, interpolate(starts[k], ends[k], s), renewing)
                found = evaluate(model, point, point, torch.zeros(1), batches, losses[k])
                values[k, j], hits[k, j] = found[0][0], found[1][0]
    classes = bool(good) and not bool(hits[good].isnan().any())
    trained = {n: mask for n, mask in trainable_masks(model).items() if bool(mask.any())}
    dtype = next((x.dtype for x in starts[0].values() if x.is_floating_point()), torch.float32)
    return [
        Curve(
            t=tuple(t.tolist()),
            loss=tuple(values[k].tolist()),
            accuracy=tuple(hits[k].tolist()) if classes else (),
            distance=tuple((t * _distance(starts[k], ends[k], trained)).tolist()),
            rounding=rounding_of(dtype),
        )
        for k in range(len(starts))
    ]


def _check(starts: Sequence[Params], ends: Sequence[Params], points: int, losses: list[Loss]) -> None:
    if not starts or len(starts) != len(ends) or len(starts) != len(losses):
        raise BadInputError(
            "Arguments `starts`, `ends` and `loss` must hold one entry for each network, at least one, but hold "
            f"{len(starts)}, {len(ends)} and {len(losses)}."
        )
    if points < 2:
        raise BadInputError(f"Argument `points` must be at least 2, but is {points}.")


def _finite(params: Params) -> bool:
    return all(bool(x.isfinite().all()) for x in params.values() if x.is_floating_point())


def _distance(a: Params, b: Params, trained: Params) -> float:
    """Return the distance over trained entries: what is stored behind a frozen one has no meaning."""
    parts = ((b[n].double() - a[n].double())[mask.to(a[n].device)] for n, mask in trained.items() if n in a)
    return float(sum(part.square().sum() for part in parts)) ** 0.5
