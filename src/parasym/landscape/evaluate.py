"""Models evaluated at many points of many segments at once."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from parasym.core import Params
from parasym.landscape.segment import interpolate

Loss = Callable[[Tensor, Tensor], Tensor]

CHUNK_BYTES = 256 * 2**20
"""Memory that the parameters of the points evaluated together may take."""
CHUNK_POINTS = 512
"""Points evaluated together: more would only need more memory for activations."""
SLOWER = 1.5
"""Points are evaluated one by one where together takes so many times as long: far from 1, so that the choice is stable."""


def evaluate(
    model: nn.Module, a: Params, b: Params, t: Tensor, batches: list[tuple[Tensor, Tensor]], loss: Loss
) -> tuple[Tensor, Tensor]:
    """Return mean losses and accuracies at points of a segment, each of shape ``[len(t)]``, in float64.

    Args:
        model: The model.
        a: Parameters at 0.
        b: Parameters at 1.
        t: Positions.
        batches: Inputs and targets.
        loss: Mean loss of one batch.
    """
    losses, hits = evaluate_many(model, [a], [b], t, batches, [loss])
    return losses[0], hits[0]


def evaluate_many(
    model: nn.Module,
    starts: Sequence[Params],
    ends: Sequence[Params],
    t: Tensor,
    batches: list[tuple[Tensor, Tensor]],
    losses: Sequence[Loss],
) -> tuple[Tensor, Tensor]:
    """Return mean losses and accuracies at points of segments, each of shape ``[segments, len(t)]``, in float64.

    Args:
        model: The model.
        starts: Parameters at 0, one for each segment.
        ends: Parameters at 1.
        t: Positions.
        batches: Inputs and targets.
        losses: Mean loss of one batch, one for each segment.
    """
    t = t.to(batches[0][0].device)
    total, hits = torch.zeros(2, len(starts), len(t), dtype=torch.float64)
    together = len(t) * len(starts) > 1 and _pays(model, starts[0], ends[0], t, batches[0][0])
    for segments, points in _chunks(starts[0], len(starts), len(t), together=together):
        params = _points(starts[segments], ends[segments], t[points])
        for x, y in batches:
            outputs = iter(_outputs(model, params, x, together=together))
            for k in range(len(starts))[segments]:
                for j in range(len(t))[points]:
                    out = next(outputs)
                    total[k, j] += float(losses[k](out, y)) * len(x)
                    if y.ndim == 1 and not y.is_floating_point() and out.ndim == 2:
                        hits[k, j] += float((out.argmax(1) == y).sum())
    count = sum(len(x) for x, _ in batches)
    return total / count, hits / count


def _chunks(params: Params, segments: int, points: int, *, together: bool) -> Iterator[tuple[slice, slice]]:
    """Yield which points of which segments to hold in memory at once: whole segments where they fit, else parts of one."""
    size = sum(v.numel() * v.element_size() for v in params.values())
    fit = max(1, min(CHUNK_BYTES // max(size, 1), CHUNK_POINTS)) if together else 1
    many, few = max(1, fit // points), min(points, fit)
    for first in range(0, segments, many):
        for start in range(0, points, few):
            yield slice(first, first + many), slice(start, start + few)


def _points(starts: Sequence[Params], ends: Sequence[Params], t: Tensor) -> Params:
    """Return the parameters at all points of all segments, stacked."""
    every = [interpolate(a, b, s) for a, b in zip(starts, ends, strict=True) for s in t]
    return {n: torch.stack([point[n] for point in every]) for n in every[0]}


@torch.no_grad()
def _outputs(model: nn.Module, params: Params, x: Tensor, *, together: bool) -> Sequence[Tensor]:
    """Return the outputs at every point; the parameters are copies, so the model may change its buffers."""

    def at(point: Params) -> Tensor:
        return torch.func.functional_call(model, {n: v.clone() for n, v in point.items()}, (x,))

    if together:
        return list(torch.vmap(at, randomness="same")(params))
    return [at({n: v[k] for n, v in params.items()}) for k in range(len(next(iter(params.values()))))]


@torch.no_grad()
def _pays(model: nn.Module, a: Params, b: Params, t: Tensor, x: Tensor) -> bool:
    """Return whether vmap can evaluate some points together and takes no longer than it takes one by one."""
    some = _points([a], [b], t[:8])
    one = {n: v[:1] for n, v in some.items()}
    try:
        together = min(_seconds(lambda: _outputs(model, some, x, together=True), x) for _ in range(2))
    except (RuntimeError, ValueError):
        return False  # an operation that vmap cannot batch: one point at a time gives the same numbers
    alone = min(_seconds(lambda: _outputs(model, one, x, together=False), x) for _ in range(2))
    return together <= SLOWER * alone * len(t[:8])


def _seconds(run: Callable[[], object], x: Tensor) -> float:
    """Return the time of a call: the processor's, which other work disturbs least, or the wall's for another device."""
    if x.device.type == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.cuda.synchronize(x.device)
    start = time.perf_counter()
    run()
    torch.cuda.synchronize(x.device)
    return time.perf_counter() - start
