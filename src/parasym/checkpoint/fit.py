"""Fit a checkpoint to a model: the same names and shapes, finite numbers, float precision."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parasym.checkpoint.names import some_names
from parasym.checkpoint.read import Checkpoint
from parasym.core import CheckpointError, Params, model_params

HALF = (torch.float16, torch.bfloat16)
FLOATS = (torch.float64, torch.float32, *HALF)


@dataclass(frozen=True)
class Fitted:
    """A checkpoint as parameters of a model.

    Attributes:
        params: Every parameter and buffer of the model, on its device; half precision as float32.
        dtypes: Precision in the file, by name, of what the file holds.
        notes: Sentences for the user.
    """

    params: Params
    dtypes: dict[str, torch.dtype]
    notes: tuple[str, ...] = ()

    def as_saved(self, params: Params) -> Params:
        """Return the entries that the file holds, each in the precision of the file.

        Args:
            params: Parameters of the same model, for example moved or merged ones.
        """
        return {name: params[name].to(dtype) for name, dtype in self.dtypes.items()}


def fit_checkpoint(checkpoint: Checkpoint, model: nn.Module) -> Fitted:
    """Return the checkpoint as complete parameters of ``model``.

    Names must be those of ``model.state_dict()``. What a file may lack: the second name of a tied
    tensor, and ``num_batches_tracked``. Buffers that a state dict does not hold come from the model.
    Half precision is computed in float32; :meth:`Fitted.as_saved` goes back.

    Args:
        checkpoint: What :func:`read_checkpoint` returned.
        model: The model that the checkpoint is for; not modified.

    Raises:
        CheckpointError: If names or shapes differ, a parameter is not floating point, or a number is not finite.
    """
    own = model_params(model)
    expected = list(model.state_dict())
    given, notes = _fill_tied(checkpoint.params, model, expected)
    _check_names(checkpoint, given, expected, own)
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    for name, value in given.items():
        _check_tensor(checkpoint, name, value, own[name], name in parameters)
    halves = [name for name, value in given.items() if value.dtype in HALF]
    if halves:
        notes += (f"{len(halves)} tensors in half precision: computed in float32 and written back as they were",)
    params = {name: _complete(checkpoint, name, value, given) for name, value in own.items()}
    dtypes = {name: value.dtype for name, value in checkpoint.params.items()}
    return Fitted(params, dtypes, checkpoint.notes + notes)


def _fill_tied(params: Params, model: nn.Module, expected: list[str]) -> tuple[Params, tuple[str, ...]]:
    names: dict[int, list[str]] = {}
    for name, value in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(value), []).append(name)
    given, notes = dict(params), ()
    for name in expected:
        if name in given:
            continue
        group = next((g for g in names.values() if name in g), [])
        twin = next((other for other in group if other in params), None)
        if twin is not None:
            given[name] = params[twin]
            notes += (f"`{name}` is tied to `{twin}` and taken from it",)
    return given, notes


def _check_names(checkpoint: Checkpoint, given: Params, expected: list[str], own: Params) -> None:
    missing = [name for name in expected if name not in given and not name.endswith("num_batches_tracked")]
    extra = [name for name in given if name not in own]
    if not missing and not extra:
        return
    if len(missing) == len([n for n in expected if not n.endswith("num_batches_tracked")]):
        raise CheckpointError(
            f"Checkpoint `{checkpoint.path}` is of another architecture: it has none of the model's names. "
            f"The model has {some_names(expected)}; the file has {some_names(list(checkpoint.params))}."
        )
    parts = [f"misses {some_names(missing)}"] if missing else []
    parts += [f"has {some_names(extra)}, which the model does not know"] if extra else []
    raise CheckpointError(
        f"Checkpoint `{checkpoint.path}` must have the names of the model, but {' and '.join(parts)}. "
        "Is it of another architecture, or was the model built with other options?"
    )


def _check_tensor(checkpoint: Checkpoint, name: str, value: Tensor, own: Tensor, is_parameter: bool) -> None:
    where = f"Checkpoint `{checkpoint.path}`: `{name}`"
    if value.shape != own.shape:
        raise CheckpointError(
            f"{where} must have shape {tuple(own.shape)} as in the model, but has shape {tuple(value.shape)}. "
            "Is it of another architecture, or was the model built with other sizes?"
        )
    if is_parameter and value.dtype not in FLOATS:
        raise CheckpointError(
            f"{where} must be a parameter in float64, float32, float16 or bfloat16, but is {value.dtype}. "
            "Quantized parameters cannot be moved "
            "or averaged: use the checkpoint from before quantization."
        )
    if value.dtype in FLOATS and not bool(torch.isfinite(value).all()):
        bad = int((~torch.isfinite(value)).sum())
        raise CheckpointError(
            f"{where} must be finite, but {bad} of its {value.numel()} numbers are NaN or infinite. "
            "The training that wrote it diverged: use an earlier checkpoint."
        )


def _complete(checkpoint: Checkpoint, name: str, own: Tensor, given: Params) -> Tensor:
    value = given.get(name)
    if value is None:
        if own.is_meta:
            raise CheckpointError(
                f"Buffer `{name}` is on the meta device and not in the checkpoint `{checkpoint.path}`, so its values "
                "are unknown. Let the factory build the model on the CPU."
            )
        return own
    value = value.to("cpu" if own.is_meta else own.device)
    return value.float() if value.dtype in HALF else value
