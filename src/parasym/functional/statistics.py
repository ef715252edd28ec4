"""Running statistics of normalization layers, estimated anew."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)


def has_statistics(model: nn.Module) -> bool:
    """Return whether any layer of the model keeps running statistics.

    Args:
        model: Any module.
    """
    return any(isinstance(m, _NORMS) and m.track_running_stats for m in model.modules())


def reestimate(model: nn.Module, params: Params, data: Iterable[Tensor | tuple[Tensor, ...]]) -> Params:
    """Return ``params`` with the running statistics that the data gives, as the plain average over batches.

    After averaging weights the stored statistics no longer fit. They are reset, and the model runs over the data with only its
    normalization layers in train mode, so dropout stays off. The model itself is left as it was.

    Args:
        model: The model of the parameters.
        params: Parameters and buffers by name; not modified.
        data: Batches: each a tensor, or a tuple whose first entry is the input.

    Raises:
        BadInputError: If ``data`` is empty.

    References:
        Jordan et al. REPAIR. ICLR 2023, https://arxiv.org/abs/2211.08403
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, _NORMS) and m.track_running_stats}
    if not layers:
        return dict(params)
    state = {n: v.clone() for n, v in params.items()}
    for name in layers:
        prefix = f"{name}." if name else ""
        state[f"{prefix}running_mean"].zero_()
        state[f"{prefix}running_var"].fill_(1.0)
        state[f"{prefix}num_batches_tracked"].zero_()
    modes = {m: m.training for m in model.modules()}
    momenta = {m: m.momentum for m in layers.values()}
    count = 0
    try:
        model.eval()
        for layer in layers.values():
            layer.train()
            layer.momentum = None  # the cumulative average
        with torch.no_grad():
            for batch in data:
                x = batch[0] if isinstance(batch, (tuple, list)) else batch
                torch.func.functional_call(model, state, (x,))
                count += 1
    finally:
        for module, mode in modes.items():
            module.training = mode
        for layer, momentum in momenta.items():
            layer.momentum = momentum
    if count == 0:
        raise BadInputError("Argument `data` must hold at least one batch to estimate statistics from, but is empty.")
    return state
