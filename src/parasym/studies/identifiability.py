r"""How well a network can tell its neurons apart: what it costs to let two of them take each other's part."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from parasym.core import BadInputError

RIDGE = 1e-8
"""Relative ridge of the normal equations; they are solved in float64."""


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    r"""A hidden layer between two linear maps, with the data that goes in.

    Attributes:
        h: What goes in, ``[samples, d]``.
        weight: Of the first map, ``[n, d]``, with its frozen entries.
        bias: Of the first map, ``[n]``.
        mask: Which entries of it are trained, ``[n, d]``.
        between: From outputs of the first map to inputs of the second, given the order of the neurons: ``between(z, order)``
            uses gain and bias of neuron ``order[k]`` for column ``k``; whatever is fixed stays where it is.
        next_weight: Of the second map, ``[m, n]``.
        next_bias: Of the second map, ``[m]``.
        next_mask: Which entries of it are trained, ``[m, n]``.
        rest: From the outputs of the second map to logits.
        labels: Classes, ``[samples]``.
    """

    h: Tensor
    weight: Tensor
    bias: Tensor
    mask: Tensor
    between: Callable[[Tensor, Tensor], Tensor]
    next_weight: Tensor
    next_bias: Tensor
    next_mask: Tensor
    rest: Callable[[Tensor], Tensor]
    labels: Tensor


def exchange_cost(layer: HiddenLayer, i: int, j: int) -> float:
    r"""Return the increase of the loss when neurons ``i`` and ``j`` are exchanged and the rest is re-fitted linearly.

    Neuron ``i`` is given the trainable entries with which it comes closest, in least squares over the data, to the pre-activation
    of ``j``, and the other way round; frozen entries stay. Then the trainable entries of the next map are fitted so that its
    outputs come closest to what they were. Where the two can be exchanged by a symmetry the cost is 0 but for rounding; in an
    asymmetric layer it says how far the neurons are from being exchangeable *effectively*, whatever the masks say.

    Args:
        layer: The layer and its data.
        i: A neuron.
        j: Another one.

    Returns:
        The mean cross-entropy afterwards minus that before.

    Raises:
        BadInputError: If the two are the same neuron.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> h, w, v = (torch.randn(s, generator=g).double() for s in ((50, 4), (3, 4), (2, 3)))
        >>> def layer(mask):
        ...     return HiddenLayer(h, w, torch.zeros(3).double(), mask, lambda z, order: z.tanh(), v, torch.zeros(2).double(),
        ...                        torch.ones(2, 3).bool(), lambda y: y, (h @ w.T).tanh().matmul(v.T).argmax(1))
        >>> free, frozen = torch.ones(3, 4).bool(), torch.tensor([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1]]).bool()
        >>> print(f"{exchange_cost(layer(free), 0, 1):.6f} {exchange_cost(layer(frozen), 0, 1):.6f}")
        0.000000 0.027267

    References:
        Bürgin, Herbst, Lin, Jegelka. Beyond structural symmetries: linear mode connectivity via neuron identifiability. ICML
        2026, https://arxiv.org/abs/2606.04754
    """
    if i == j:
        raise BadInputError(f"Arguments `i` and `j` must be two neurons, but both are {i}.")
    z = layer.h @ layer.weight.T + layer.bias
    still = torch.arange(len(layer.weight), device=z.device)
    order = still.clone()
    order[i], order[j] = j, i
    outputs = layer.between(z, still) @ layer.next_weight.T + layer.next_bias
    moved = z.clone()
    for k, other in ((i, j), (j, i)):
        moved[:, k] = fitted(layer.h, z[:, other], layer.weight[k], layer.mask[k])
    hidden = layer.between(moved, order)
    again = _fitted_map(hidden, outputs, layer.next_weight, layer.next_mask)
    before, after = (float(cross_entropy(layer.rest(y), layer.labels)) for y in (outputs, again))
    return after - before


def fitted(x: Tensor, target: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Return the closest to a target that one neuron can come by its trainable entries and its bias.

    Args:
        x: Inputs, ``[samples, d]``.
        target: ``[samples]``.
        weight: Its entries, ``[d]``; the frozen ones are used.
        mask: Which are trainable, ``[d]``.

    Returns:
        Its outputs, ``[samples]``.
    """
    fixed = x[:, ~mask] @ weight[~mask]
    free = torch.cat((x[:, mask], torch.ones_like(x[:, :1])), dim=1)
    return fixed + (free @ _solved(free.T @ free, free.T @ (target - fixed)[:, None]))[:, 0]


def _fitted_map(x: Tensor, target: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Return the closest to targets ``[samples, m]`` that the trainable entries of a map can come, row by row."""
    wide = torch.cat((x, torch.ones_like(x[:, :1])), dim=1)
    gram, right = wide.T @ wide, wide.T @ target
    out = torch.empty_like(target)
    kinds, kind = mask.unique(dim=0, return_inverse=True)
    for k, free_entries in enumerate(kinds):  # rows with the same trainable entries are solved together
        rows = (kind == k).nonzero()[:, 0]
        free = torch.cat((free_entries, mask.new_ones(1))).nonzero()[:, 0]
        frozen = (~free_entries).nonzero()[:, 0]
        fixed = weight[rows][:, frozen]
        part = right[free][:, rows] - gram[free][:, frozen] @ fixed.T
        out[:, rows] = wide[:, free] @ _solved(gram[free][:, free], part) + x[:, frozen] @ fixed.T
    return out


def _solved(gram: Tensor, right: Tensor) -> Tensor:
    ridge = RIDGE * gram.diagonal().mean()
    return torch.cholesky_solve(right, torch.linalg.cholesky(gram + ridge * torch.eye(len(gram)).to(gram)))
