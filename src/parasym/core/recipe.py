"""The tensor of bytes that says by which constants a model was broken: what other floors need to know of it."""

import json

from torch import Tensor

RECIPE = "breaking_recipe"
"""The name of the buffer, at the root of the model that was broken."""


def is_recipe(name: str) -> bool:
    """Return whether a tensor is a recipe.

    Args:
        name: Its name.
    """
    return name.rpartition(".")[2] == RECIPE


def recipe_digest(data: Tensor) -> str:
    """Return the digest of all constants that a recipe was written with; models whose digests agree are of one architecture.

    Args:
        data: Bytes of JSON, of shape ``[n]``.

    Example:
        >>> import torch
        >>> recipe_digest(torch.tensor(list(b'{"digest": "2fe8"}'), dtype=torch.uint8))
        '2fe8'
    """
    try:
        return str(json.loads(data.cpu().numpy().tobytes())["digest"])
    except (ValueError, KeyError, TypeError):
        return data.cpu().numpy().tobytes().hex()
