"""The one door for checkpoints: whatever the file, tensors by name come out, and no code in it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from parasym.checkpoint._table import KINDS
from parasym.checkpoint.kind import Found, Kind
from parasym.checkpoint.names import some_names
from parasym.checkpoint.pickled import PickledCode
from parasym.checkpoint.schema import describe, has_tensors, plain_tensors
from parasym.checkpoint.sharded import INDEX, Inconsistent, read_sharded
from parasym.core import CheckpointError, Params

WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "params", "net")
PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of one file, and what was unwrapped to reach them.

    Attributes:
        path: The file.
        params: Tensors by name: dense, on the CPU, in the precision of the file.
        notes: Sentences for the user, such as ``read from the key `state_dict` ``, and on everything that was left unread.
    """

    path: Path
    params: Params
    notes: tuple[str, ...] = ()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Return the tensors of a file by name; no code in the file is ever run.

    Safetensors, files of ``torch.save`` of every age, and folders with an index of several such files are read; what a file is,
    its first bytes say. Pickles are read as data: a class or function that one names is neither imported nor called, and what it
    would have made is left unread. A state dict below a key such as ``state_dict`` or ``model``
    is found, and the prefixes ``module.`` (DataParallel) and ``_orig_mod.`` (torch.compile) are taken
    off. ``notes`` says all of that.

    Args:
        path: The file, its index, or the folder.

    Raises:
        CheckpointError: If it is missing, damaged, holds no tensors by name, holds one that is sparse, quantized or on the meta
            device, or was made to run code.

    Example:
        >>> import argparse, tempfile, torch
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name) / "a.pt"
        >>> torch.save({"state_dict": {"module.weight": torch.ones(2)}, "args": argparse.Namespace(lr=0.1)}, file)
        >>> checkpoint = read_checkpoint(file)
        >>> checkpoint.params
        {'weight': tensor([1., 1.])}
        >>> for note in checkpoint.notes: print(note)
        read from the key `state_dict`; left unread beside it: `args` (argparse.Namespace)
        prefix `module.` taken off every name
        >>> folder.cleanup()
    """
    path = Path(path)
    try:
        place = _index_of(path) if path.is_dir() else path
    except OSError as error:
        raise CheckpointError(f"Checkpoint `{path}` cannot be read: {error.strerror}.") from error
    found = read_file(place)
    content, notes = _unwrap(found.content)
    if not has_tensors(content):
        raise CheckpointError(
            f"Checkpoint `{path}` must hold tensors by name (a state dict), but holds {_holdings(content)}. "
            "Save it again with torch.save(model.state_dict(), ...) or as safetensors."
        )
    try:
        params, remarks = plain_tensors(content)
    except CheckpointError as error:
        raise CheckpointError(f"Checkpoint `{path}`: {error}") from error
    params, stripped = _strip(params)
    return Checkpoint(path, params, (*found.notes, *notes, *remarks, *stripped))


def _index_of(folder: Path) -> Path:
    """Return the index of a folder, or its only checkpoint."""
    found = sorted(folder.glob(f"*{INDEX}"), key=lambda file: ".safetensors" not in file.name)
    endings = {ending for kind in KINDS for ending in kind.endings}
    found = found or [file for file in sorted(folder.iterdir()) if file.suffix in endings and file.is_file()]
    if not found or (len(found) > 1 and not found[0].name.endswith(INDEX)):
        has = f"has {some_names([file.name for file in found])}: name one of them" if found else f"has no `*{INDEX}`"
        raise CheckpointError(f"Checkpoint `{folder}` must be a file, but is a folder, which {has}.")
    return found[0]


def read_file(path: Path, what: str = "Checkpoint") -> Found:
    """Return what a file of any kind of the table holds, as it stands: tensors by name, one tensor, or a tree of lists.

    Args:
        path: The file, or the index of several.
        what: What it is to the user, for messages.

    Raises:
        CheckpointError: If it is missing, damaged, of no known kind, or was made to run code.
    """
    try:
        there = path.is_file()
    except OSError as error:
        raise CheckpointError(f"{what} `{path}` cannot be read: {error.strerror}.") from error
    if not there:
        raise CheckpointError(f"{what} `{path}` must be a file, but does not exist.")
    if path.name.endswith(INDEX):
        try:
            return read_sharded(path, read_file)
        except Inconsistent as error:
            raise CheckpointError(f"{what} `{path}` cannot be read: {error}. Copy the folder again.") from error
    kind = _kind(path, what)
    try:
        return kind.read(path)
    except PickledCode as error:
        raise CheckpointError(
            f"{what} `{path}` holds pickled code ({error}), which a careless reader would run, so it is "
            "refused: only data is read, as with weights_only=True. If you trust it, load it yourself and save its "
            "state_dict() or its tensors again, best as safetensors."
        ) from error
    except Exception as error:  # on damaged bytes a reader fails in any way
        if isinstance(error, MemoryError):
            raise
        said = str(error).rstrip(".") if isinstance(error, (CheckpointError, OSError)) else f"{type(error).__name__}: {error}"
        raise CheckpointError(
            f"{what} `{path}` must be a {kind.name} file, but cannot be read as one: {said}. It is corrupt, cut off, or of "
            "another kind: copy it again, or save its tensors (of a model, the state_dict()) as safetensors."
        ) from error


def _kind(path: Path, what: str) -> Kind:
    try:
        with path.open("rb") as file:
            first = file.read(512)
    except OSError as error:
        raise CheckpointError(f"{what} `{path}` cannot be read: {error.strerror}.") from error
    known = next((kind for kind in KINDS if kind.begins(path, first)), None)
    known = known or next((kind for kind in KINDS if path.suffix in kind.endings), None)
    if known is None:
        names = ", ".join(f"{kind.name} ({', '.join(kind.endings)})" for kind in KINDS)
        raise CheckpointError(f"{what} `{path}` is none of the kinds that are read: {names}; or it is corrupt.")
    return known


def _unwrap(content: Any) -> tuple[Any, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    while isinstance(content, Mapping):
        # A trainer keeps single tensors, such as states of random generators, beside the state dict.
        inner = [key for key, value in content.items() if isinstance(value, Mapping) and _deep(value)]
        sole = inner[0] if len(inner) == 1 and not has_tensors(content) else None
        key = next((key for key in WRAPPERS if key in inner), sole)
        if key is None:
            break
        left = [f"{other}` ({describe(value)})" for other, value in content.items() if other != key]
        beside = f"; left unread beside it: {some_names(left).replace(')`', ')')}" if left else ""
        content, notes = content[key], (*notes, f"read from the key `{key}`{beside}")
    return content, notes


def _deep(content: Mapping[Any, Any]) -> bool:
    """Return whether a dictionary has tensors, or has them below one of the known keys."""
    if has_tensors(content):
        return True
    return any(isinstance(content.get(key), Mapping) and has_tensors(content[key]) for key in WRAPPERS)


def _strip(params: Params) -> tuple[Params, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in params)), None):
        params = {name.removeprefix(prefix): value for name, value in params.items()}
        notes += (f"prefix `{prefix}` taken off every name",)
    return params, notes


def _holdings(content: Any) -> str:
    if isinstance(content, Mapping):
        return some_names([f"{key} ({describe(value)})" for key, value in content.items()]) or "nothing"
    return "one tensor without a name" if isinstance(content, Tensor) else f"a {describe(content)}"
