"""What is measured between two trained networks: barriers as they are and matched, and how well neurons can be told apart."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parasym.breaking import trainable_count, trainable_masks
from parasym.core import Params, child_generator
from parasym.find import find
from parasym.functional.statistics import has_statistics, reestimate
from parasym.groups import Permutation
from parasym.landscape import Barrier, barrier
from parasym.orbit import ActivationMatching, WeightMatching, match
from parasym.orbit.method import AbstractMethod
from parasym.orbit.objective import gap
from parasym.studies.identifiability import HiddenLayer, exchange_cost
from parasym.studies.paper_network import Data, examples
from parasym.studies.row import Record
from parasym.studies.variant import Variant
from parasym.symmetry import Symmetry
from parasym.zoo.paper import NormedMLP

ACTIVATIONS = 512
"""Train examples whose activations are compared; all of them for a graph."""

FITTED = 2048
"""Train examples on which exchanged neurons are fitted: well more than a layer is wide."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two trained networks.

    Attributes:
        model: Their architecture, in eval mode.
        a: Parameters and buffers of the one.
        b: Of the other.
        diverged: Whether either has a loss that is not finite.
        start: What they started from.
    """

    model: nn.Module
    a: Params
    b: Params
    diverged: bool
    start: tuple[Params, Params]


def measure_pair(pair: Pair, data: Data, variant: Variant, *, points: int, swaps: int, seed: int) -> list[Record]:
    """Return one record per method.

    Barriers are of the mean test loss. A pair of which a network diverged has records that say so and hold no numbers.

    Args:
        pair: The networks.
        data: Their data, on their device.
        variant: How they were made.
        points: Points along the segment.
        swaps: Exchanges of neurons that are tried in the first network.
        seed: Of the neurons that are exchanged.
    """
    ends = list(ends_of(pair, data, variant))
    if pair.diverged:
        return [_diverged(name, pair) for name, _ in ends]
    x, y, _, _ = examples(data)
    loss = sum(train_loss(pair.model, params, data) for params in (pair.a, pair.b)) / 2
    cost = _mean_cost(pair, x[:FITTED], y[:FITTED], swaps, seed) if swaps and _is_mlp(pair.model) else math.nan
    found = []
    for name, end in ends:
        segment = segment_of(pair, end, data, points=points)
        sizes = {"train_loss": loss, "distance": gap(pair.a, end), **how_far(pair, end)}
        record = _record(name, pair, segment, sizes)
        if name == variant.name and math.isfinite(cost):
            record["exchange_cost"] = cost
        found.append(record)
    return found


def ends_of(pair: Pair, data: Data, variant: Variant) -> Iterator[tuple[str, Params]]:
    """Yield the other end of the segment: the second network as it is, then matched by every method.

    Args:
        pair: The networks.
        data: Their data, on their device.
        variant: How they were made.
    """
    yield variant.name, pair.b
    if not variant.matched:
        return
    if pair.diverged:
        yield from (("weight-matching", pair.b), ("activation-matching", pair.b))
        return
    x = examples(data)[0]
    symmetry = permutations_of(find(pair.model, (x[:4],)))
    a, b = without_constants(pair.a), without_constants(pair.b)
    sample = x if _batch(x) >= len(x) else x[:ACTIVATIONS]
    methods: tuple[tuple[str, AbstractMethod], ...] = (
        ("weight-matching", WeightMatching()),
        ("activation-matching", ActivationMatching(pair.model, [sample])),
    )
    for name, method in methods:
        yield name, match(symmetry, a, b, method=method).element(pair.b)


def segment_of(pair: Pair, end: Params, data: Data, *, points: int) -> Barrier:
    """Return the test loss along the segment from the first network.

    Args:
        pair: The networks.
        end: The other end.
        data: Their data, on their device.
        points: Points along the segment.
    """
    x, _, test_x, test_y = examples(data)
    statistics = [x] if has_statistics(pair.model) else None
    # One batch: a graph is evaluated whole, however few of its nodes are asked for.
    return barrier(pair.model, pair.a, end, test_x, test_y, points=points, statistics=statistics, batch_size=_batch(test_x))


def train_loss(model: nn.Module, params: Params, data: Data) -> float:
    """Return the mean train loss of a network in eval mode, with running statistics of the train set.

    Args:
        model: Its architecture, in eval mode.
        params: Its parameters and buffers.
        data: Its data, on its device.
    """
    x, y, _, _ = examples(data)
    params = reestimate(model, params, [x]) if has_statistics(model) else params
    total = 0.0
    with torch.no_grad():
        for some, labels in zip(x.split(_batch(x)), y.split(_batch(x)), strict=True):
            out = torch.func.functional_call(model, params, (some,))
            total += float(torch.nn.functional.cross_entropy(out.double(), labels, reduction="sum"))
    return total / len(y)


def how_far(pair: Pair, end: Params) -> dict[str, float]:
    """Return how far two networks moved and how far apart they are, counting trainable entries only.

    Args:
        pair: The networks.
        end: The second one, as it is or matched.

    Returns:
        ``from_start``, the distance of both from their start by the size of the start, on average; and ``apart``, their distance
        by their mean size.
    """
    ends = (pair.a, pair.b)
    moved = [_norm(pair.model, x, start) / _norm(pair.model, start) for x, start in zip(ends, pair.start, strict=True)]
    size = (_norm(pair.model, pair.a) + _norm(pair.model, end)) / 2
    return {"from_start": sum(moved) / 2, "apart": _norm(pair.model, pair.a, end) / size}


def _norm(model: nn.Module, params: Params, other: Params | None = None) -> float:
    """Return the norm of the trainable entries, or of their difference from others."""
    masks = trainable_masks(model)
    parts = (params[n] if other is None else params[n] - other[n] for n in masks)
    return math.sqrt(sum(float((x[m].double() ** 2).sum()) for x, m in zip(parts, masks.values(), strict=True)))


def permutations_of(symmetry: Symmetry) -> Symmetry:
    """Return the permutations of a symmetry, which is what the paper's baseline matches by.

    Args:
        symmetry: Any symmetry.
    """
    return symmetry.only(Permutation)


def without_constants(params: Params) -> Params:
    """Return parameters without arrays of integers, such as a graph's edges, which the model itself has too.

    Matching works in floating point throughout, and numbers that are indices would not survive that.

    Args:
        params: Parameters and buffers by name.
    """
    return {name: value for name, value in params.items() if value.is_floating_point() or value.ndim == 0}


def _record(name: str, pair: Pair, segment: Barrier, sizes: dict[str, float]) -> Record:
    numbers = {
        "barrier": segment.midpoint,
        "accuracy_barrier": segment.midpoint_accuracy,
        "maximum": segment.maximum,
        "end_loss": (segment.loss[0] + segment.loss[-1]) / 2,
        "end_accuracy": (segment.accuracy[0] + segment.accuracy[-1]) / 2,
        **sizes,
    }
    finite = all(math.isfinite(v) for v in (*segment.loss, *numbers.values()))
    curves = {"t": list(segment.t), "loss": list(segment.loss), "accuracy": list(segment.accuracy)} if finite else {}
    return {
        "method": name,
        "diverged": not finite,
        "trainable": trainable_count(pair.model),
        **(numbers if finite else {}),
        **curves,
    }


def _diverged(name: str, pair: Pair) -> Record:
    return {"method": name, "diverged": True, "trainable": trainable_count(pair.model)}


def _batch(x: Tensor) -> int:
    return len(x) if x.ndim == 1 else 250


def _is_mlp(model: nn.Module) -> bool:
    return isinstance(model, NormedMLP)


def _mean_cost(pair: Pair, x: Tensor, labels: Tensor, swaps: int, seed: int) -> float:
    """Return the mean cost, in loss over these examples, of exchanging two neurons of the second hidden layer."""
    layer = hidden_layer(pair.model, pair.a, x, labels)
    n = len(layer.weight)
    generator = child_generator(seed, "neurons to exchange")
    costs = []
    with torch.no_grad():
        for _ in range(swaps):
            i, j = torch.randperm(n, generator=generator)[:2].tolist()
            costs.append(exchange_cost(layer, i, j))
    return sum(costs) / len(costs)


def hidden_layer(model: nn.Module, params: Params, x: Tensor, labels: Tensor) -> HiddenLayer:
    """Return the second hidden layer of an MLP, with the data that goes in, in float64.

    Args:
        model: A :class:`~parasym.zoo.paper.NormedMLP`, broken or not.
        params: Its parameters and buffers.
        x: Inputs.
        labels: Classes.
    """
    masks = trainable_masks(model)
    net = copy.deepcopy(model)
    own = dict(net.named_parameters()) | dict(net.named_buffers())
    with torch.no_grad():
        for name, value in params.items():
            own[name].copy_(value)
    net = net.double().eval()
    linears, norms, acts = (list(getattr(net, part)) for part in ("linears", "norms", "acts"))
    with torch.no_grad():
        h = acts[0](norms[0](linears[0](x.flatten(1).double())))

    def between(z: Tensor, order: Tensor) -> Tensor:
        centered = torch.nn.functional.layer_norm(z, z.shape[1:], eps=norms[1].eps)
        return acts[1](centered * norms[1].weight[order] + norms[1].bias[order])

    def rest(y: Tensor) -> Tensor:
        for norm, act, linear in zip(norms[2:], acts[2:], linears[3:], strict=True):
            y = linear(act(norm(y)))
        return y

    parts = [(linears[k].weight.detach(), linears[k].bias.detach(), masks[f"linears.{k}.weight"]) for k in (1, 2)]
    return HiddenLayer(h, *parts[0], between, *parts[1], rest, labels)
