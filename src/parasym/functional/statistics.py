"""Running statistics of normalization layers, estimated anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from parasym.core import BadInputError, Params, first_names
from parasym.functional.reading import Data, batches_of
from parasym.functional.run import running, untied
from parasym.functional.snapshot import forgotten

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)


def has_statistics(model: nn.Module) -> bool:
    """Return whether any layer of the model keeps running statistics.

    Args:
        model: Any module.
    """
    return any(isinstance(m, _NORMS) and m.track_running_stats for m in model.modules())


def reestimate(model: nn.Module, params: Params, data: Data) -> Params:
    """Return ``params`` with the running statistics that the data gives, as the plain average over batches.

    After averaging weights the stored statistics no longer fit. They are reset, and the model runs over the data with only its
    normalization layers in train mode, so dropout stays off. The model itself is left as it was.

    Args:
        model: The model of the parameters.
        params: Parameters and buffers by name; not modified.
        data: Batches, as :func:`parasym.functional.batch_call` reads them; they go to the device and precision of ``params``.

    Raises:
        BadInputError: If ``data`` is empty or does not fit the model, or ``params`` lacks statistics.

    References:
        Jordan et al. REPAIR. ICLR 2023, https://arxiv.org/abs/2211.08403
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, _NORMS) and m.track_running_stats}
    if not layers:
        return dict(params)
    first = first_names(model)
    state = {n: v.clone() for n, v in untied(model, params).items()}
    for name in layers:
        _reset(state, f"{name}." if name else "")
    with _estimating(model, list(layers.values())), torch.no_grad():
        for call in batches_of(data, model):
            moved = call.like(params)
            with running(model, moved), forgotten(model):
                torch.func.functional_call(model, state, moved.args, dict(moved.kwargs))  # which writes to `state`
    return {n: state[first.get(n, n)] for n in params}


def _reset(state: Params, prefix: str) -> None:
    for leaf, value in (("running_mean", 0.0), ("running_var", 1.0), ("num_batches_tracked", 0)):
        if prefix + leaf not in state:
            raise BadInputError(
                f"Argument `params` lacks `{prefix}{leaf}`, which is to be estimated. Pass all buffers too, for example "
                "`parasym.model_params(model)`."
            )
        state[prefix + leaf].fill_(value)


@contextmanager
def _estimating(model: nn.Module, layers: list[Any]) -> Iterator[None]:
    """Put a model into eval mode but for the layers, which average over all batches."""
    modes = {m: m.training for m in model.modules()}
    momenta = {m: m.momentum for m in layers}
    try:
        model.eval()
        for layer in layers:
            layer.train()
            layer.momentum = None  # the cumulative average
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for layer, momentum in momenta.items():
            layer.momentum = momentum
