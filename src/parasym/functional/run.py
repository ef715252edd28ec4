"""A model run at given parameters, with nothing of it changed."""

from typing import Any

import torch
from torch import nn

from parasym.core import Params, first_names
from parasym.functional.call import Call


@torch.no_grad()
def run(model: nn.Module, params: Params, call: Call) -> Any:
    """Return what ``model`` returns at ``params``, without gradients.

    Buffers are copied first, so neither the model nor ``params`` is written to: not the statistics of a BatchNorm in train mode,
    not the counters of quantizers.

    Args:
        model: Any module, in the mode in which it is meant.
        params: Parameters and buffers by name; those left out keep the values of the model.
        call: Its arguments.
    """
    given = untied(model, params)
    buffers = {name: given.get(name, x).clone() for name, x in model.named_buffers()}
    return torch.func.functional_call(model, {**given, **buffers}, call.args, dict(call.kwargs))


def untied(model: nn.Module, params: Params) -> Params:
    """Return ``params`` with the first name of every tied tensor only, which is what ``functional_call`` takes for all of them.

    Args:
        model: Any module.
        params: Parameters and buffers by name; if tied names differ, the first one counts.
    """
    first = first_names(model)
    return {first.get(name, name): value for name, value in reversed(params.items())}
