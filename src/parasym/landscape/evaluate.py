"""Models evaluated at many points of many segments at once."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from parasym.core import Params
from parasym.functional.outputs import prediction
from parasym.functional.run import run
from parasym.functional.tensors import map_tensors
from parasym.landscape.loss import Loss, Total, averaged
from parasym.landscape.samples import Batches
from parasym.landscape.segment import interpolate

CHUNK_BYTES = 256 * 2**20
"""Memory that the parameters of the points evaluated together may take."""
CHUNK_POINTS = 512
"""Points evaluated together: more would only need more memory for activations."""
SLOWER = 1.5
"""Points are evaluated one by one where together takes so many times as long: far from 1, so that the choice is stable."""


def evaluate(model: nn.Module, a: Params, b: Params, t: Tensor, batches: Batches, loss: Loss) -> tuple[Tensor, Tensor]:
    """Return mean losses and accuracies at points of a segment, each of shape ``[len(t)]``, in float64.

    Args:
        model: The model.
        a: Parameters at 0.
        b: Parameters at 1.
        t: Positions.
        batches: Calls of the model and targets.
        loss: Mean loss.
    """
    losses, hits = evaluate_many(model, [a], [b], t, batches, [loss])
    return losses[0], hits[0]


def evaluate_many(
    model: nn.Module,
    starts: Sequence[Params],
    ends: Sequence[Params],
    t: Tensor,
    batches: Batches,
    losses: Sequence[Loss],
) -> tuple[Tensor, Tensor]:
    """Return mean losses and accuracies at points of segments, each of shape ``[segments, len(t)]``, in float64.

    Accuracies are NaN where targets are no classes.

    Args:
        model: The model.
        starts: Parameters at 0, one for each segment.
        ends: Parameters at 1.
        t: Positions.
        batches: Calls of the model and targets.
        losses: Mean loss, one for each segment.
    """
    means, hits = torch.full((2, len(starts), len(t)), torch.nan, dtype=torch.float64)
    # Losses of torch are taken of one tensor, any other function gets all that the model returns.
    view = _everything if any(averaged(loss) is None for loss in losses) else prediction
    together = len(t) * len(starts) > 1 and _pays(model, starts[0], ends[0], t, batches, view)
    for segments, points in _chunks(starts[0], len(starts), len(t), together=together):
        params = _points(starts[segments], ends[segments], t[points])
        places = [(k, j) for k in range(len(starts))[segments] for j in range(len(t))[points]]
        totals = [Total(losses[k]) for k, _ in places]
        for call, targets in batches:
            outputs = _outputs(lambda point, call=call: view(run(model, point, call)), params, together=together)
            for total, output in zip(totals, outputs, strict=True):
                total.add(output, targets)
        for (k, j), total in zip(places, totals, strict=True):
            means[k, j], hits[k, j] = total.mean(), total.accuracy()
    return means, hits


def _everything(output: Any) -> Any:
    return output


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
def _outputs(at: Callable[[Params], Any], params: Params, *, together: bool) -> list[Any]:
    """Return the outputs at every point."""
    count = len(next(iter(params.values())))
    if not together:
        return [at({n: v[k] for n, v in params.items()}) for k in range(count)]
    found = torch.vmap(at, randomness="same")(params)
    return [map_tensors(lambda x, k=k: x[k], found) for k in range(count)]


@torch.no_grad()
def _pays(model: nn.Module, a: Params, b: Params, t: Tensor, batches: Batches, view: Callable[[Any], Any]) -> bool:
    """Return whether vmap can evaluate some points together and takes no longer than it takes one by one."""
    call = batches[0][0]
    device = next(iter(a.values())).device

    def at(point: Params) -> Any:
        return view(run(model, point, call))

    some = _points([a], [b], t[:8])
    one = {n: v[:1] for n, v in some.items()}
    try:
        together = min(_seconds(lambda: _outputs(at, some, together=True), device) for _ in range(2))
    except (RuntimeError, ValueError):
        return False  # an operation that vmap cannot batch: one point at a time gives the same numbers
    alone = min(_seconds(lambda: _outputs(at, one, together=False), device) for _ in range(2))
    return together <= SLOWER * alone * len(t[:8])


def _seconds(job: Callable[[], object], device: torch.device) -> float:
    """Return the time of a call: the processor's, which other work disturbs least, or the wall's for another device."""
    clock, wait = time.process_time, lambda: None
    if device.type != "cpu":
        clock, wait = time.perf_counter, lambda: torch.cuda.synchronize(device)
    wait()
    start = clock()
    job()
    wait()
    return clock() - start
