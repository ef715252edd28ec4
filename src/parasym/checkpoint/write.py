"""Write a checkpoint as safetensors."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from parasym.checkpoint.replace import atomic_write
from parasym.core import CheckpointError, Params


def write_checkpoint(path: str | Path, params: Params, *, metadata: Mapping[str, str] | None = None, force: bool = False) -> Path:
    """Write tensors by name as safetensors, whole or not at all.

    Tensors that share memory (tied parameters) are written under each name.

    Args:
        path: A file that ends in ``.safetensors``.
        params: Tensors by name.
        metadata: Text stored in the header.
        force: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        CheckpointError: If the path has another ending.

    Example:
        >>> write_checkpoint("merged.pt", {})
        Traceback (most recent call last):
        parasym.core.error.CheckpointError: Output `merged.pt` must end in `.safetensors`: ...
    """
    path = ensure_safetensors(path)
    tensors = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in params.items()}
    return atomic_write(path, lambda file: save_file(tensors, file, metadata=dict(metadata or {})), force=force)


def ensure_safetensors(path: str | Path) -> Path:
    """Return the path if it ends in ``.safetensors``.

    Args:
        path: A file to write.

    Raises:
        CheckpointError: If the path has another ending.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"Output `{path}` must end in `.safetensors`: checkpoints are written in that format only.")
    return path


def cast_like(params: Params, dtypes: Mapping[str, torch.dtype]) -> Params:
    """Return ``params`` with every tensor in the given precision; names without one are kept.

    Args:
        params: Tensors by name.
        dtypes: Precision by name.
    """
    return {name: value.to(dtypes.get(name, value.dtype)) for name, value in params.items()}
