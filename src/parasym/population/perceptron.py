"""Perceptrons side by side: forward and backward pass written out as products of stacks of matrices."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from parasym.breaking import frozen_parts, plain_type
from parasym.population.chain import chain_of
from parasym.population.data import Data
from parasym.population.layers import SLOPES, Layer, side_by_side
from parasym.population.network import Network

_CLOSE = 1e-4


def perceptron_layers(network: Network, data: Data) -> tuple[nn.Module, ...]:
    """Return the layers of a perceptron, or nothing if the model is another, or its data are no batches of one tensor.

    A perceptron is a chain, however its module is written: perhaps a flattening first, then linear layers, layer normalizations
    and activations, every parameter trained and used once, no hooks. Entries may be frozen by `break_`. What is read from
    the forward is compared with the model on two examples, since a trace does not show everything. Labels that a loss ignores
    go the usual way.

    Args:
        network: The architecture.
        data: What it is trained on.
    """
    if data.full or len(data.parts) != 1 or (not data.y.is_floating_point() and bool((data.y < 0).any())):
        return ()
    layers, axes = chain_of(network.template), data.parts[0].ndim
    if layers and isinstance(layers[0], nn.Flatten) and (layers[0].start_dim, layers[0].end_dim) == (1, -1):
        layers, axes = layers[1:], 2
    if axes != 2 or not layers or plain_type(layers[0]) is not nn.Linear or not all(map(_is_known, layers)):
        return ()
    used = [id(p) for layer in layers for p in layer.parameters()]
    trained = [id(p) for p in network.template.parameters() if p.requires_grad]
    if sorted(used) != sorted(trained) or not _is_model(tuple(layers), network, data.parts[0][:2]):
        return ()
    return tuple(layers)


def _is_known(layer: nn.Module) -> bool:
    """Return whether a layer does what its class says, and can be trained side by side."""
    kind, frozen = plain_type(layer), frozen_parts(layer)
    tensors = layer.get_submodule("parametrizations") if frozen else nn.Module()
    if len(list(layer.children())) > bool(frozen) or len(list(tensors.children())) > len(frozen) or layer._buffers:
        return False
    if isinstance(layer, nn.LayerNorm):
        return kind is nn.LayerNorm and len(layer.normalized_shape) == 1
    return kind is nn.Linear or kind in SLOPES


def _is_model(layers: tuple[nn.Module, ...], network: Network, x: Tensor) -> bool:
    """Return whether layers side by side give what the model gives, and calling the model changes nothing in it."""
    model = copy.deepcopy(network.template)
    before, rows = _state(model), network.pack([model])
    with torch.no_grad():
        expected = model(x)
        found = Perceptrons(layers, network, rows, rows).forward(x[None])[0].t()
    after = _state(model)
    unchanged = before.keys() == after.keys() and all(_equal(value, after[key]) for key, value in before.items())
    near = isinstance(expected, Tensor) and expected.shape == found.shape
    return unchanged and near and bool((found - expected).abs().max() <= _CLOSE * (1 + expected.abs().max()))


def _state(model: nn.Module) -> dict[tuple[str, str], Any]:
    """Return what a forward may remember: buffers, and attributes of modules that are numbers or text."""
    found = {(path, key): value for path, m in model.named_modules() for key, value in vars(m).items() if _is_number(value)}
    return found | {("", name): buffer.clone() for name, buffer in model.named_buffers()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | str)


def _equal(a: Any, b: Any) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b


class Perceptrons:
    r"""Perceptrons side by side.

    Every layer is one product, or a few passes, for all networks. No gradient has to be turned round, and there are a quarter as
    many calls as under vmap. Nothing here asks for autograd: parameters and inputs must not require gradients.

    Args:
        layers: From `perceptron_layers`.
        network: The architecture.
        rows: Parameters, each of shape ``[networks, numbers]``; they may be changed in place between steps.
        grads: Where `backward` puts the gradients, of the shapes of the rows.
    """

    def __init__(self, layers: tuple[nn.Module, ...], network: Network, rows: list[Tensor], grads: list[Tensor]) -> None:
        names = {id(p): n for n, p in network.template.named_parameters()}
        params, places = network.unpack(rows), network.unpack(grads)
        self._layers: list[Layer] = []
        for layer in layers:
            named = {key: names[id(p)] for key, p in layer._parameters.items() if p is not None}
            stacked = {key: (params[name], places[name]) for key, name in named.items()}
            one = side_by_side(layer, stacked, first=not self._layers)
            assert one is not None
            self._layers.append(one)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of all networks, of shape ``[networks, classes, n]``, examples last.

        Args:
            inputs: Of shape ``[networks, n, ...]``.
        """
        x = inputs.flatten(2).transpose(1, 2)
        for layer in self._layers:
            x = layer.forward(x)
        return x

    def backward(self, slopes: Tensor) -> None:
        """Put the gradients of the losses into their place.

        Args:
            slopes: Gradients of the losses with respect to the outputs, of their shape.
        """
        for layer in reversed(self._layers):
            slopes = layer.backward(slopes)
