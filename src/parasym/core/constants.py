"""Constants of an architecture: buffers that no symmetry moves, and which two models must share to be compared."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

import torch
from torch import Tensor, nn

from parasym.core.error import BadInputError
from parasym.core.params import Params
from parasym.core.recipe import is_recipe, recipe_digest

STATE_PATTERNS = (
    "*running_mean",
    "*running_var",
    "*parametrizations.*._u",
    "*parametrizations.*._v",
    "*weight_u",
    "*weight_v",
)
"""Names of buffers that move with the parameters: statistics of normalizations, vectors of spectral normalization."""

COUNTERS = ("*num_batches_tracked",)
"""Names of buffers that training counts with, and that no forward pass in eval mode reads."""

_STATE, _COUNTER = (re.compile("|".join(map(translate, patterns))) for patterns in (STATE_PATTERNS, COUNTERS))
_ULPS = 8


def is_state(name: str) -> bool:
    """Return whether a buffer is a statistic that moves with the parameters, not a constant of the architecture.

    Args:
        name: Buffer name.
    """
    return _STATE.match(name) is not None


def constant_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the buffers that are constants of the architecture: masks, tables, frozen entries.

    Args:
        model: Any module.

    Example:
        >>> constant_names(nn.BatchNorm1d(2))
        ()
    """
    names = [name for name, _ in model.named_buffers(remove_duplicate=False)]
    return tuple(name for name in names if not is_state(name) and not _COUNTER.match(name))


def differing(a: Params, b: Params, names: Iterable[str]) -> list[str]:
    """Return which constants differ between two models.

    Equal are numbers up to a few units in the last place, since tables are computed on different machines.

    Args:
        a: Parameters and buffers by name.
        b: Those of another model.
        names: Names of the constants; those that a model lacks are not compared.
    """
    shared = [name for name in names if name in a and name in b]
    recipes = [name for name in shared if is_recipe(name) and recipe_digest(a[name]) != recipe_digest(b[name])]
    return recipes + [name for name in shared if not is_recipe(name) and not _same(a[name], b[name])]


def check_constants(models: Sequence[Params], names: Sequence[str], labels: Sequence[str]) -> None:
    """Check that models have the same constants, and so are of one architecture.

    Args:
        models: Parameters and buffers by name.
        names: Names of the constants.
        labels: What the models are called in the message.

    Raises:
        BadInputError: If one differs; the message names the layer.
    """
    for params, label in zip(models[1:], labels[1:], strict=True):
        for name in differing(models[0], params, names):
            if is_recipe(name):
                raise BadInputError(
                    f"{labels[0]} and {label} are of different architectures: their weights have other constants at other "
                    f"places, as the recipes in `{name}` say. Compare models that were broken alike."
                )
            layer, leaf = _split(name)
            raise BadInputError(
                f"{labels[0]} and {label} are of different architectures: `{leaf}` of layer `{layer or 'the model itself'}` is a "
                f"constant of the model, which no symmetry moves, and differs in {_difference(models[0][name], params[name])}. "
                f"Compare models that share it, or leave `{name}` out of both if the function does not depend on it."
            )


def _same(x: Tensor, y: Tensor) -> bool:
    if x.shape != y.shape:
        return False
    y = y.to(x.device)
    if not (x.is_floating_point() or x.is_complex()) or not (y.is_floating_point() or y.is_complex()):
        return torch.equal(x, y)
    return torch.allclose(x, y.to(x.dtype), rtol=_ULPS * torch.finfo(x.dtype).eps, atol=0.0, equal_nan=True)


def _split(name: str) -> tuple[str, str]:
    """Return the layer that a tensor belongs to, and its name there."""
    if "parametrizations." in name:  # of a weight, say, which the layer itself shows in another form
        layer, _, leaf = name.partition("parametrizations.")
        return layer.rstrip("."), f"parametrizations.{leaf}"
    layer, _, leaf = name.rpartition(".")
    return layer, leaf


def _difference(x: Tensor, y: Tensor) -> str:
    if x.shape != y.shape:
        return f"shape: {tuple(x.shape)} and {tuple(y.shape)}"
    count = int((x != y.to(x.device)).sum())
    return f"{count} of {x.numel()} entries"
