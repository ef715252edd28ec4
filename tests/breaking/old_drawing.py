"""States of broken models as they were written before recipes."""

import torch
from torch import Tensor, nn

from parasym.breaking import frozen_tensors
from parasym.core import RECIPE


def old_state(model: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Return the state of a broken model as version 1 wrote it, with constants of its own.

    Masks and constants are buffers of a parametrization, and there is no recipe. Places are others than those that today's
    drawing draws, and constants have the precision of the weights.

    Args:
        model: A broken model.
        seed: Of the constants.
    """
    generator = torch.Generator().manual_seed(seed)
    masks = {name: entries.mask.flip(0) for name, _, _, entries in frozen_tensors(model)}
    out: dict[str, Tensor] = {}
    for name, x in model.state_dict().items():
        path, _, tensor = name.rpartition(".")
        base = f"{path}.parametrizations.{tensor}"
        if name in masks:
            constants = torch.where(masks[name], 0.0, 0.5 + torch.rand(x.shape, generator=generator))
            out |= {f"{base}.original": x.clone(), f"{base}.0.mask": masks[name], f"{base}.0.frozen": constants}
        elif name != RECIPE:
            out[name] = x.clone()
    return out
