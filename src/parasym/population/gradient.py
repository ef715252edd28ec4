"""Losses and gradients of many networks: all together with vmap, or one after the other."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from parasym.core import Params
from parasym.population.data import Data
from parasym.population.network import Network, Slots
from parasym.population.objective import Objective
from parasym.population.perceptron import Perceptrons, perceptron_layers

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Batch:
    """What some networks see in one step.

    Attributes:
        inputs: Arguments of the model, each of shape ``[networks, n, ...]``, or as they are if shared.
        labels: Of shape ``[networks, n, ...]``, or as they are if shared.
        shared: Whether all networks see the same.
    """

    inputs: tuple[Tensor, ...]
    labels: Tensor
    shared: bool

    def of(self, k: int) -> "Batch":
        """Return what one network sees.

        Args:
            k: Which.
        """
        if self.shared:
            return self
        return Batch(tuple(x[k] for x in self.inputs), self.labels[k], shared=True)


def autocast(precision: str, device: torch.device) -> Any:
    """Return the context of a forward pass.

    Args:
        precision: ``"float32"`` changes nothing.
        device: Where it runs.
    """
    return torch.autocast(device.type, DTYPES[precision]) if precision in DTYPES else nullcontext()


@dataclass(frozen=True)
class Gradients:
    """How to compute losses and gradients.

    Attributes:
        network: The architecture.
        data: What it is trained on.
        objective: The loss.
        precision: Of the forward pass.
    """

    network: Network
    data: Data
    objective: Objective
    precision: str

    @cached_property
    def layers(self) -> tuple[nn.Module, ...]:
        """The layers of a perceptron, as which networks can be trained side by side; nothing if they are none."""
        return () if self.precision in DTYPES else perceptron_layers(self.network, self.data)

    def stack(self, rows: list[Tensor], fixed: Params, own: Params, grads: list[Tensor]) -> "Stack | Perceptrons":
        """Return networks side by side.

        Args:
            rows: Parameters, each of shape ``[networks, numbers]``; they may be changed in place between steps.
            fixed: What all networks share.
            own: What each has for itself, stacked.
            grads: Where to put the gradients, of the shapes of the rows.
        """
        if self.layers:
            return Perceptrons(self.layers, self.network, rows, grads)
        return Stack(self.network, rows, fixed, own, grads)

    def together(self, stack: "Stack | Perceptrons", batch: Batch, smoothing: Tensor, scale: Tensor) -> Tensor:
        """Return losses of shape ``[networks]``; the gradients of the scaled losses are where the stack puts them.

        Args:
            stack: The networks.
            batch: What they see.
            smoothing: Label smoothing, of shape ``[networks]``.
            scale: Of the losses, of shape ``[networks]``.
        """
        if isinstance(stack, Perceptrons):
            losses, slopes = self.objective.slopes(stack.forward(batch.inputs[0]), batch.labels, smoothing)
            stack.backward(slopes)
            return losses
        with autocast(self.precision, batch.labels.device):
            outputs = stack.forward(batch.inputs, shared=batch.shared)
            outputs = outputs if self.data.rows is None else outputs.index_select(1, self.data.rows)
            losses = self.objective.many(outputs, batch.labels, smoothing, shared=batch.shared)
        stack.backward(losses, scale)
        return losses.detach()

    def alone(self, bound: "Bound", batch: Batch, smoothing: float, scale: Tensor) -> Tensor:
        """Return the loss of one network; its gradients are in ``bound.grads``.

        Args:
            bound: The network.
            batch: What it sees.
            smoothing: Label smoothing.
            scale: Of the loss, of shape ``[]``.
        """
        bound.zero_()
        with autocast(self.precision, batch.labels.device):
            outputs = self.network.template(*batch.inputs)
            outputs = outputs if self.data.rows is None else outputs.index_select(0, self.data.rows)
            loss = self.objective.one(outputs, batch.labels, smoothing)
        (loss * scale if self.precision == "float16" else loss).backward()
        return loss.detach()


class Stack:
    """Networks side by side.

    Args:
        network: The architecture.
        rows: Parameters, each of shape ``[networks, numbers]``; they may be changed in place between steps.
        fixed: What all networks share.
        own: What each has for itself, stacked.
        grads: Where `backward` puts the gradients, of the shapes of the rows.
    """

    def __init__(self, network: Network, rows: list[Tensor], fixed: Params, own: Params, grads: list[Tensor]) -> None:
        self._places = list(network.unpack(grads).values())
        params = network.unpack(rows)
        self._trained = [p.detach().requires_grad_() for p in params.values()]
        self._stacked, self._fixed = (*self._trained, *own.values()), tuple(fixed.values())
        self._call = Slots(network.stacked, [*params, *own, *fixed])

    def forward(self, inputs: tuple[Tensor, ...], *, shared: bool) -> Tensor:
        """Return the outputs of all networks by one vmap, of shape ``[networks, ...]``.

        Args:
            inputs: Of shape ``[networks, ...]``, or as they are if shared.
            shared: Whether all networks have the same inputs.
        """
        number = len(self._stacked)

        def forward(*tensors: Tensor) -> Tensor:
            return self._call((*tensors[:number], *self._fixed), tensors[number:])

        axes = (0,) * number + (None if shared else 0,) * len(inputs)
        # Random numbers would depend on who else is trained: such a model is refused here and trained in a loop.
        return vmap(forward, in_dims=axes, randomness="error")(*self._stacked, *inputs)

    def backward(self, losses: Tensor, scale: Tensor) -> None:
        """Put the gradients of the scaled losses into their place.

        Args:
            losses: Of shape ``[networks]``.
            scale: Of shape ``[networks]``.
        """
        found = torch.autograd.grad(losses, self._trained, scale.to(losses), allow_unused=True, materialize_grads=True)
        for place, value in zip(self._places, found, strict=True):
            place.copy_(value)


class Bound:
    """The template with the numbers of one network: its parameters and their gradients are views of rows.

    Args:
        network: The architecture.
        rows: Parameters, each of shape ``[1, numbers]``; they may be changed in place between steps.
        fixed: Its buffers and frozen parameters.

    Attributes:
        grads: Gradients, of the shapes of the rows.
    """

    def __init__(self, network: Network, rows: list[Tensor], fixed: Params) -> None:
        self._grad = torch.zeros(sum(network.sizes), dtype=rows[0].dtype, device=rows[0].device)
        self.grads = [x[None] for x in self._grad.split(network.sizes)]
        modules = dict(network.template.named_parameters()) | dict(network.template.named_buffers())
        gradients = network.unpack(self.grads)
        for name, value in network.unpack(rows).items():
            modules[name].data = value[0]
            modules[name].grad = gradients[name][0]
        for name, value in fixed.items():
            modules[name].data.copy_(value)
        self._fixed = {name: modules[name] for name in fixed}

    def zero_(self) -> None:
        """Set all gradients to 0."""
        self._grad.zero_()

    def fixed(self) -> Params:
        """Return copies of the buffers and frozen parameters, which a forward pass may have changed."""
        return {n: v.detach().clone() for n, v in self._fixed.items()}


def chunks(networks: int, size: int) -> Iterator[slice]:
    """Yield slices of so many networks.

    Args:
        networks: All of them.
        size: At once.
    """
    for start in range(0, networks, size):
        yield slice(start, min(start + size, networks))
