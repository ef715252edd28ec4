"""Layers of many networks side by side: forward and backward pass written out, examples last."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from parasym.breaking import FrozenEntries, frozen_parts, plain_type

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
"""The activations, and what autograd calls for them: gradient of the input from module, gradient of the output, input and
output."""


class Layer(Protocol):
    """A layer of all networks. Values have the shape ``[networks, features, examples]``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, and keep what `backward` needs.

        Args:
            x: The inputs.
        """
        ...

    def backward(self, delta: Tensor) -> Tensor:
        """Put the gradients of the parameters into their place and return those of the inputs.

        Args:
            delta: Gradients with respect to the outputs.
        """
        ...


class Stacked:
    """A parameter of all networks, with constants in place of its frozen entries, and the place of its gradient.

    Args:
        stack: Of shape ``[networks, ...]``; may be changed between steps.
        place: Of the same shape.
        entries: What is frozen.
    """

    def __init__(self, stack: Tensor, place: Tensor, entries: FrozenEntries | None) -> None:
        self._stack, self._place = stack, place
        self._mask: Tensor | None = None
        if entries is not None:
            self._mask, self._constants = entries.mask.to(stack), entries.frozen.to(stack)
            self._value = torch.empty_like(stack)

    def value(self) -> Tensor:
        """Return its values, of shape ``[networks, ...]``; a new call may write over them."""
        if self._mask is None:
            return self._stack
        # A product takes a tenth of the time of a choice, and is the same: what lies behind constants is finite.
        return torch.addcmul(self._constants, self._stack, self._mask, out=self._value)

    def put(self, gradient: Callable[[Tensor], object]) -> None:
        """Put its gradient into its place: zero at frozen entries.

        Args:
            gradient: Writes it into a tensor.
        """
        gradient(self._place)
        if self._mask is not None:
            self._place.mul_(self._mask)


def side_by_side(layer: nn.Module, stacked: Mapping[str, tuple[Tensor, Tensor]], *, first: bool) -> Layer | None:
    """Return a layer for all networks, ``None`` if there is none of its type.

    Args:
        layer: Of the architecture: a linear layer, a layer normalization over all features, or an activation.
        stacked: Its parameters by name: values and the place of the gradient.
        first: Whether nothing below needs a gradient.
    """
    frozen, kind = frozen_parts(layer), plain_type(layer)
    parts = {name: Stacked(*pair, frozen.get(name)) for name, pair in stacked.items()}
    if kind is nn.Linear:
        return _Linear(parts, first=first)
    if kind is nn.LayerNorm and isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1:
        return _Normalization(parts, layer.eps)
    return _Activation(layer) if kind in SLOPES else None


class _Linear:
    r"""A linear layer.

    With inputs :math:`h` and :math:`\delta = \partial\ell/\partial z` of its outputs :math:`z = W h + b`,

    .. math:: \partial_W = \delta h^\top, \qquad \partial_b = \delta 1, \qquad \partial_h = W^\top \delta.
    """

    def __init__(self, parts: Mapping[str, Stacked], *, first: bool) -> None:
        self._weight, self._bias, self._first = parts["weight"], parts.get("bias"), first
        self._x = self._w = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        self._x, self._w = x, self._weight.value()
        return torch.bmm(self._w, x) if self._bias is None else torch.baddbmm(self._bias.value()[:, :, None], self._w, x)

    def backward(self, delta: Tensor) -> Tensor:
        self._weight.put(lambda place: torch.bmm(delta, self._x.transpose(1, 2), out=place))
        if self._bias is not None:
            self._bias.put(lambda place: torch.sum(delta, 2, out=place))
        return delta if self._first else torch.bmm(self._w.transpose(1, 2), delta)


class _Normalization:
    r"""A layer normalization.

    With :math:`\hat x = (x - \mu)/\sigma`, outputs :math:`y = w \hat x + b` and :math:`\gamma = w\,\delta`,

    .. math::
        \partial_w = \textstyle\sum \delta \hat x, \qquad \partial_b = \sum \delta, \qquad
        \partial_x = (\gamma - \overline{\gamma} - \hat x\, \overline{\gamma \hat x}) / \sigma,

    sums over examples, means over features.
    """

    def __init__(self, parts: Mapping[str, Stacked], eps: float) -> None:
        self._weight, self._bias, self._eps = parts.get("weight"), parts.get("bias"), eps
        self._hat = self._inverse = torch.empty(0)
        self._w: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)  # `var_mean` along an axis inside takes twenty times as long
        self._inverse = centred.square().mean(1, keepdim=True).add_(self._eps).rsqrt_()
        self._hat = centred.mul_(self._inverse)
        self._w = None if self._weight is None else self._weight.value()[:, :, None]
        y = self._hat if self._w is None else self._hat * self._w
        return y if self._bias is None else y + self._bias.value()[:, :, None]

    def backward(self, delta: Tensor) -> Tensor:
        product = delta * self._hat
        if self._weight is not None:
            self._weight.put(lambda place: torch.sum(product, 2, out=place))
        if self._bias is not None:
            self._bias.put(lambda place: torch.sum(delta, 2, out=place))
        if self._w is not None:
            product, delta = product.mul_(self._w), delta * self._w
        centred = delta - delta.mean(1, keepdim=True)
        return centred.addcmul_(self._hat, product.mean(1, keepdim=True), value=-1).mul_(self._inverse)


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
