"""Read a checkpoint: safetensors, or a pickle of tensors and nothing else."""

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from parasym.checkpoint.names import some_names
from parasym.core import CheckpointError, Params

WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "params", "net")
PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of one file, and what was unwrapped to reach them.

    Attributes:
        path: The file.
        params: Tensors by name, on the CPU, in the precision of the file.
        notes: Sentences for the user, such as ``read from the key `state_dict` ``.
    """

    path: Path
    params: Params
    notes: tuple[str, ...] = ()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Return the tensors of a file by name; no code in the file is ever run.

    Files that end in ``.safetensors`` are read as such, all others with
    ``torch.load(weights_only=True)``. A state dict below a key such as ``state_dict`` or ``model``
    is found, and the prefixes ``module.`` (DataParallel) and ``_orig_mod.`` (torch.compile) are taken
    off; ``notes`` says so.

    Args:
        path: The file.

    Raises:
        CheckpointError: If the file is missing, corrupt, holds pickled code, or holds no tensors.

    Example:
        >>> import tempfile, torch
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name) / "a.pt"
        >>> torch.save({"state_dict": {"module.weight": torch.ones(2)}}, file)
        >>> checkpoint = read_checkpoint(file)
        >>> checkpoint.params
        {'weight': tensor([1., 1.])}
        >>> checkpoint.notes
        ('read from the key `state_dict`', 'prefix `module.` taken off every name')
        >>> folder.cleanup()
    """
    path = Path(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise CheckpointError(f"Checkpoint `{path}` must be a file, but {found}.")
    content = _safetensors(path) if path.suffix == ".safetensors" else _pickle(path)
    content, notes = _unwrap(content)
    params = {name: value.detach() for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not params:
        raise CheckpointError(
            f"Checkpoint `{path}` must hold tensors by name (a state dict), but holds {_describe(content)}. "
            "Save it again with torch.save(model.state_dict(), ...) or as safetensors."
        )
    left = [name for name in content if name not in params]
    if left:
        notes += (f"{len(left)} entries that are not tensors left out: {some_names(left)}",)
    params, stripped = _strip(params)
    return Checkpoint(path, params, notes + stripped)


def _safetensors(path: Path) -> Params:
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"Checkpoint `{path}` must be a safetensors file, but cannot be read as one: {_line(error)}. "
            "It is corrupt, cut off, or of another format: copy or save it again."
        ) from error


def _pickle(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about foreign pickles; the error says it better
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_code(error):
            raise CheckpointError(_corrupt(path, error)) from error
        raise CheckpointError(
            f"Checkpoint `{path}` holds pickled code ({_culprit(error)}), which could run anything when read, so it is "
            "refused: only tensors are read (weights_only=True). If you trust it, load it yourself and save its "
            "state_dict() again, best as safetensors."
        ) from error
    except Exception as error:  # on bytes that are no pickle the unpickler fails in any way
        raise CheckpointError(_corrupt(path, error)) from error


def _is_code(error: Exception) -> bool:
    return any(word in str(error) for word in ("GLOBAL", "REDUCE", "BUILD", "NEWOBJ", "INST", "TorchScript"))


def _culprit(error: Exception) -> str:
    # torch writes "Unsupported global: GLOBAL posix.system was not an allowed global".
    words = str(error).replace("`", " ").split()
    return next((b for a, b in pairwise(words) if a == "GLOBAL"), "a class or function").rstrip(".,")


def _corrupt(path: Path, error: Exception) -> str:
    said = _line(error).split(". ")[0]  # what torch says next is about its own options
    return (
        f"Checkpoint `{path}` cannot be read: {said}. It is corrupt, cut off, or a pickle of something other than "
        "tensors (pickled code is never run): copy it again, or save the model's state_dict() as safetensors."
    )


def _unwrap(content: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    while isinstance(content, Mapping) and not any(isinstance(value, torch.Tensor) for value in content.values()):
        key = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if key is None:
            break
        content, notes = content[key], (*notes, f"read from the key `{key}`")
    if not isinstance(content, Mapping):
        return {f"a {type(content).__name__}": content} if not isinstance(content, torch.Tensor) else {}, notes
    return content, notes


def _strip(params: Params) -> tuple[Params, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in params)), None):
        params = {name.removeprefix(prefix): value for name, value in params.items()}
        notes += (f"prefix `{prefix}` taken off every name",)
    return params, notes


def _describe(content: Mapping[str, Any]) -> str:
    return some_names(list(content)) if content else "nothing of the kind"


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
