"""Fit a checkpoint to a model: the same names and shapes, usable numbers, float precision."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from parasym.checkpoint.names import some_names
from parasym.checkpoint.read import Checkpoint
from parasym.checkpoint.tie import conflicts, tied_names
from parasym.core import CheckpointError, Params, is_recipe, model_params

HALF = (torch.float16, torch.bfloat16)
FLOATS = (torch.float64, torch.float32, *HALF)
COUNTER = "num_batches_tracked"
_TRIED = 20
"""Names of a model that a prefix is looked for with: the first may be one that a file of an earlier version lacks."""
STATISTICS = ("running_mean", "running_var")
"""Buffers that are averages of activations: like parameters they must be finite. Others, such as masks, may hold infinity."""


@dataclass(frozen=True)
class Fitted:
    """A checkpoint as parameters of a model.

    Attributes:
        params: Every parameter and buffer of the model, on its device; half precision as float32.
        dtypes: Precision in the file, by name, of what the file holds.
        notes: Sentences for the user.
        beside: What the state of the model holds that is neither parameter nor buffer.
    """

    params: Params
    dtypes: dict[str, torch.dtype]
    notes: tuple[str, ...] = ()
    beside: Params = field(default_factory=dict)

    def as_saved(self, params: Params) -> Params:
        """Return the entries that the file holds, each in the precision of the file.

        Args:
            params: Parameters of the same model, for example moved or merged ones.
        """
        return {name: params[name].to(dtype) for name, dtype in self.dtypes.items()} | self.beside


Adopt = Callable[[nn.Module, Params], tuple[Params, tuple[str, ...]]]


def fit_checkpoint(checkpoint: Checkpoint, model: nn.Module, *, adopt: Adopt | None = None) -> Fitted:
    """Return the checkpoint as complete parameters of ``model``.

    Names must be those of ``model.state_dict()``, all of them behind one prefix at most. What a file may lack: the second name of
    a tied tensor, and ``num_batches_tracked``. Buffers that a state dict does not hold come from the model.
    Half precision is computed in float32; :meth:`Fitted.as_saved` goes back.

    Args:
        checkpoint: What :func:`read_checkpoint` returned.
        model: The model that the checkpoint is for; not modified, unless ``adopt`` does.
        adopt: Gives a state the names that the model has today, and says what it did, as `parasym.breaking.adopt_state_` does.

    Raises:
        CheckpointError: If names or shapes differ, names that the model ties have different values, a parameter is not floating
            point, a number or the sum of the squares of a parameter is not finite.
    """
    tied = tied_names(model)
    checkpoint = _without_prefix(checkpoint, list(model.state_dict()))
    checkpoint = checkpoint if adopt is None else _adopted(checkpoint, model, adopt)
    own, state = model_params(model), model.state_dict()
    expected = [name for name in state if name in own]
    beside = {name: x.clone() for name, x in state.items() if name not in own and isinstance(x, Tensor)}
    given, notes = _fill_tied(checkpoint.params, tied, expected)
    _check_names(checkpoint, given, expected, own)
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    for name, value in given.items():
        _check_tensor(checkpoint, name, value, own[name], name in parameters)
    for conflict in conflicts(checkpoint, tied):
        raise CheckpointError(
            f"Checkpoint `{checkpoint.path}`: {conflict}. The model has one tensor for both, so one of them would be lost: "
            "build the model without the tie, or give --untie to go on with a model in which they are two."
        )
    halves = [name for name, value in given.items() if value.dtype in HALF]
    if halves:
        notes += (f"{len(halves)} tensors in half precision: computed in float32 and written back as they were",)
    lacking = [name for name in expected if name not in given]
    if lacking:
        notes += (f"{len(lacking)} counters that the file lacks taken from the model: {some_names(lacking)}",)
    params = {name: _complete(checkpoint, name, value, given) for name, value in own.items()}
    dtypes = {name: value.dtype for name, value in checkpoint.params.items()}
    return Fitted(params, dtypes, checkpoint.notes + notes, beside)


def _adopted(checkpoint: Checkpoint, model: nn.Module, adopt: Adopt) -> Checkpoint:
    try:
        params, notes = adopt(model, checkpoint.params)
    except CheckpointError as error:
        raise CheckpointError(f"Checkpoint `{checkpoint.path}`: {error}") from error
    return replace(checkpoint, params=params, notes=(*checkpoint.notes, *notes))


def _without_prefix(checkpoint: Checkpoint, expected: list[str]) -> Checkpoint:
    """Take off what stands before all names, as trainers put it that hold the model as an attribute."""
    names = list(checkpoint.params)
    needed = [name for name in expected if not name.endswith(COUNTER)]
    if not needed or any(name in checkpoint.params for name in needed):
        return checkpoint
    endings = (name.removesuffix(one) for one in needed[:_TRIED] for name in names if name.endswith(f".{one}"))
    prefix = next((p for p in endings if all(name.startswith(p) for name in names)), None)
    if prefix is None:
        return checkpoint
    params = {name.removeprefix(prefix): value for name, value in checkpoint.params.items()}
    return replace(checkpoint, params=params, notes=(*checkpoint.notes, f"prefix `{prefix}` taken off every name"))


def _fill_tied(params: Params, tied: dict[str, str], expected: list[str]) -> tuple[Params, tuple[str, ...]]:
    given, notes = dict(params), ()
    for name in expected:
        first = tied.get(name, name)
        family = [first, *(other for other, one in tied.items() if one == first)]
        twin = next((other for other in family if other in params), None)
        if name not in given and len(family) > 1 and twin is not None:
            given[name] = params[twin]
            notes += (f"`{name}` is tied to `{twin}` and taken from it",)
    return given, notes


def _check_names(checkpoint: Checkpoint, given: Params, expected: list[str], own: Params) -> None:
    missing = [name for name in expected if name not in given and not name.endswith(COUNTER)]
    extra = [name for name in given if name not in own]
    if not missing and not extra:
        return
    if len(missing) == len([n for n in expected if not n.endswith(COUNTER)]):
        raise CheckpointError(
            f"Checkpoint `{checkpoint.path}` is of another architecture: it has none of the model's names. "
            f"The model has {some_names(expected)}; the file has {some_names(list(checkpoint.params))}."
        )
    parts = [f"misses {some_names(missing)}"] if missing else []
    parts += [f"has {some_names(extra)}, which the model does not know"] if extra else []
    if any(map(is_recipe, extra)):
        raise CheckpointError(
            f"Checkpoint `{checkpoint.path}` is of a model that was broken, and {' and '.join(parts)}. Let the factory return "
            "`parasym.break_(model, parasym.breaking.recipe_of(file)).model`."
        )
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
    if value.is_floating_point() or value.is_complex():
        _check_numbers(where, value, is_parameter or name.rpartition(".")[2] in STATISTICS)


def _check_numbers(where: str, value: Tensor, is_average: bool) -> None:
    wide = value if value.dtype in {torch.float64, torch.float32} or value.is_complex() else value.float()
    usable = torch.isfinite(wide) if is_average else ~torch.isnan(wide)
    if not bool(usable.all()):
        bad = int((~usable).sum())
        raise CheckpointError(
            f"{where} must be {'finite' if is_average else 'numbers'}, but {bad} of its {value.numel()} numbers are NaN"
            f"{' or infinite' if is_average else ''}. The training that wrote it diverged: use an earlier checkpoint."
        )
    if is_average and not bool(torch.isfinite(wide.abs().square().sum())):
        raise CheckpointError(
            f"{where} must have squares that add up to a finite number in {wide.dtype}, but its largest number is "
            f"{float(wide.abs().max()):.3g}. The training that wrote it diverged, or the file is damaged: use an earlier one."
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
