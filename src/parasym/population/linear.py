"""Linear layers under vmap, whose gradients come in the layout of their weights."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


def weights_first(model: nn.Module) -> nn.Module:
    r"""Return the model with linear layers that compute :math:`(W x^\top)^\top + b`.

    The numbers are those of :math:`x W^\top + b` up to rounding. What differs under vmap is the gradient of :math:`W`: it is the
    product :math:`\delta^\top x`, laid out as :math:`W` is, while that of :math:`x W^\top` is :math:`x^\top \delta`, and turning
    that round takes nearly as long as the product if the layer is small. The result is contiguous, as from torch: what follows
    may look at it as another shape.

    Inputs of other than two axes, weights that are not trained, and calls under autocast go the usual way.

    Args:
        model: Changed in place.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = layer.load_state_dict({"weight": torch.tensor([[2.0, 3.0]]), "bias": torch.tensor([10.0])})
        >>> weights_first(layer)(torch.tensor([[1.0, 1.0], [1.0, 2.0]])).detach()
        tensor([[15.],
                [18.]])
    """
    for layer in model.modules():
        plain = type(layer).forward is nn.Linear.forward and "forward" not in vars(layer)
        if isinstance(layer, nn.Linear) and plain and any(p.requires_grad for p in layer.parameters()):
            vars(layer)["forward"] = partial(_forward, layer)
    return model


def _forward(layer: nn.Linear, x: Tensor) -> Tensor:
    weight, bias = layer.weight, layer.bias
    if x.ndim != 2 or torch.is_autocast_enabled(x.device.type):
        return linear(x, weight, bias)
    product = torch.mm(weight, x.t())
    return (product if bias is None else product + bias[:, None]).t().contiguous()
