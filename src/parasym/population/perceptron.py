"""Plain perceptrons side by side: forward and backward pass written out as products of stacks of matrices."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from parasym.population.data import Data
from parasym.population.network import Network

aten = torch.ops.aten
Slope = Callable[[Any, Tensor, Tensor, Tensor], Tensor]
SLOPES: dict[type[nn.Module], Slope] = {
    nn.ReLU: lambda _, delta, x, y: aten.threshold_backward(delta, y, 0),
    nn.LeakyReLU: lambda f, delta, x, y: aten.leaky_relu_backward(delta, x, f.negative_slope, False),
    nn.GELU: lambda f, delta, x, y: aten.gelu_backward(delta, x, approximate=f.approximate),
    nn.SiLU: lambda _, delta, x, y: aten.silu_backward(delta, x),
    nn.Softplus: lambda f, delta, x, y: aten.softplus_backward(delta, x, f.beta, f.threshold),
    nn.Tanh: lambda _, delta, x, y: aten.tanh_backward(delta, y),
    nn.Sigmoid: lambda _, delta, x, y: aten.sigmoid_backward(delta, y),
}
"""The activations of a plain perceptron, and what autograd calls for them: gradient of the input from module, gradient of the
output, input and output."""


def perceptron_layers(network: Network, data: Data) -> tuple[nn.Module, ...]:
    """Return the layers of a plain perceptron, or nothing if the model is another, or its data are no batches of one tensor.

    Plain means: an ``nn.Sequential`` (perhaps of such), perhaps a flattening first, then linear layers and activations, every
    parameter trained and used once, no hooks. Labels that a loss ignores go the usual way.

    Args:
        network: The architecture.
        data: What it is trained on.
    """
    layers = _layers(network.template)
    axes = data.parts[0].ndim
    if isinstance(layers[0], nn.Flatten) and (layers[0].start_dim, layers[0].end_dim) == (1, -1):
        layers, axes = layers[1:], 2
    if data.full or len(data.parts) != 1 or axes != 2 or not layers or type(layers[0]) is not nn.Linear:
        return ()
    if not all(type(layer) in (nn.Linear, *SLOPES) and not _is_changed(layer) for layer in layers):
        return ()
    if not data.y.is_floating_point() and bool((data.y < 0).any()):
        return ()
    used = [id(p) for layer in layers for p in layer.parameters()]
    trained = [id(p) for p in network.template.parameters() if p.requires_grad]
    return tuple(layers) if sorted(used) == sorted(trained) else ()


def _layers(model: nn.Module) -> list[nn.Module]:
    if type(model) is nn.Sequential and not _is_changed(model):
        return [layer for part in model for layer in _layers(part)] or [model]
    return [model]


def _is_changed(layer: nn.Module) -> bool:
    """Return whether calling it does more than its class says."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_buffers")
    return "forward" in vars(layer) or any(len(getattr(layer, kind)) for kind in kinds)


class Perceptrons:
    r"""Plain perceptrons side by side.

    With inputs :math:`h`, outputs :math:`z = W h + b` and :math:`\delta = \partial\ell/\partial z` of a layer, examples last,

    .. math::
        \frac{\partial\ell}{\partial W} = \delta h^\top, \qquad \frac{\partial\ell}{\partial b} = \delta 1, \qquad
        \frac{\partial\ell}{\partial h} = W^\top \delta,

    each one product for all networks. No gradient has to be turned round, and there are a quarter as many calls as under vmap.
    Nothing here asks for autograd: parameters and inputs must not require gradients.

    Args:
        layers: From `perceptron_layers`.
        network: The architecture.
        rows: Parameters, each of shape ``[networks, numbers]``; they may be changed in place between steps.
        grads: Where `backward` puts the gradients, of the shapes of the rows.
    """

    def __init__(self, layers: tuple[nn.Module, ...], network: Network, rows: list[Tensor], grads: list[Tensor]) -> None:
        names = {id(p): n for n, p in network.template.named_parameters()}
        params, places = network.unpack(rows), network.unpack(grads)
        self._layers: list[_Linear | _Activation] = []
        for layer in layers:
            if isinstance(layer, nn.Linear):
                weight, bias = names[id(layer.weight)], None if layer.bias is None else names[id(layer.bias)]
                biases = None if bias is None else (params[bias], places[bias])
                self._layers.append(_Linear((params[weight], places[weight]), biases, first=not self._layers))
            else:
                self._layers.append(_Activation(layer))

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


class _Linear:
    """A linear layer: weights of shape ``[networks, out, in]`` and biases, each with the place of its gradient."""

    def __init__(self, weight: tuple[Tensor, Tensor], bias: tuple[Tensor, Tensor] | None, *, first: bool) -> None:
        self._weight, self._place = weight
        self._bias, self._bias_place = (None, None) if bias is None else (bias[0][:, :, None], bias[1])
        self._turned = None if first else self._weight.transpose(1, 2)
        self._x = self._weight

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        return torch.bmm(self._weight, x) if self._bias is None else torch.baddbmm(self._bias, self._weight, x)

    def backward(self, delta: Tensor) -> Tensor:
        torch.bmm(delta, self._x.transpose(1, 2), out=self._place)
        if self._bias_place is not None:
            torch.sum(delta, 2, out=self._bias_place)
        return delta if self._turned is None else torch.bmm(self._turned, delta)


class _Activation:
    """An activation, and its slope."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer: Any = copy.copy(layer)
        self._slope = SLOPES[type(layer)]
        if hasattr(layer, "inplace"):
            self._layer.inplace = False  # its input is needed again
        self._x = self._y = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        self._x, self._y = x, self._layer(x)
        return self._y

    def backward(self, delta: Tensor) -> Tensor:
        return self._slope(self._layer, delta, self._x, self._y)
