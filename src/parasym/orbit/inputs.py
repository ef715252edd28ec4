"""What a user may pass to the verbs of this folder: checked once, here."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from parasym.core import BadInputError, Params, check_constants
from parasym.core.arguments import as_models, as_params
from parasym.core.params import check_computable
from parasym.symmetry import FrozenEntries, Shift, Symmetry
from parasym.symmetry.arguments import as_symmetry
from parasym.symmetry.frozen import without_frozen


def given_models(symmetry: Any, models: Any, names: Sequence[str] | str, verb: str) -> list[Params]:
    """Return the models that a verb was given as parameters by name, checked against the symmetry and each other.

    Args:
        symmetry: What was given as the symmetry of their architecture.
        models: What was given as models: modules, or parameters and buffers by name.
        names: What the arguments are called; one name for a list of models.
        verb: The call, as ``match(symmetry, a, b)``.

    Raises:
        BadInputError: If they are something else, or do not fit; see :func:`check_models`.
    """
    symmetry = as_symmetry(symmetry, verb)
    if isinstance(names, str):
        found = as_models(models, names, verb)
    else:
        found = [as_params(one, name, verb) for one, name in zip(models, names, strict=True)]
    check_models(symmetry, found)
    return found


def counting(symmetry: Symmetry, params: Params) -> Params:
    """Return parameters with zeros where entries are not trained: what is stored there says nothing of a model.

    A row that an embedding keeps for padding counts where a translation moves it along with the others.

    Args:
        symmetry: The symmetry of their architecture.
        params: Parameters by name; not modified.
    """
    return without_frozen(not_counted(symmetry), params)


def not_counted(symmetry: Symmetry) -> list[FrozenEntries]:
    """Return the entries that no distance counts.

    Args:
        symmetry: Any symmetry.
    """
    shifted = {b.tensor for f in symmetry.factors for b in f.bindings if isinstance(b, Shift)}
    return [one for one in symmetry.frozen if not (one.read and one.tensor in shifted)]


LARGE = 200_000
"""Numbers in all tensors up to which a model is small."""


def check_models(symmetry: Symmetry, models: Sequence[Params]) -> None:
    """Check that checkpoints fit the symmetry and each other.

    Args:
        symmetry: The symmetry of their architecture.
        models: Parameters and buffers by name, at least one.

    Raises:
        BadInputError: If names, shapes, dtypes or devices differ, if a parameter that moves is an
            integer, or if any value is NaN or infinite. The message names the first culprits.
    """
    for k, params in enumerate(models):
        _check_moving(symmetry, params, k)
        _check_values(params, k)
        if k:
            _check_alike(models[0], params, k)
    check_constants(models, symmetry.constants, [f"Model {k}" for k in range(len(models))])


def _check_moving(symmetry: Symmetry, params: Params, k: int) -> None:
    shapes = dict(symmetry.shapes)
    moving = list(dict.fromkeys(name for factor in symmetry.factors for name in factor.tensors))
    missing = [name for name in moving if name not in params]
    if missing:
        raise BadInputError(
            f"Model {k} lacks {_listed(missing)}, which the symmetry moves. "
            "Pass all parameters and buffers by name, for example `parasym.core.model_params(model)`."
        )
    for name in moving:
        x = params[name]
        if tuple(x.shape) != tuple(shapes.get(name, x.shape)):
            raise BadInputError(
                f"`{name}` of model {k} must have shape {shapes[name]}, but has shape {tuple(x.shape)}. "
                "It is from another architecture than the symmetry: run `find` on this one."
            )
        if not x.is_floating_point():
            raise BadInputError(
                f"`{name}` of model {k} must be floating point to be moved, but is {x.dtype}. Dequantize or cast it first."
            )


def _check_values(params: Params, k: int) -> None:
    total = 0.0
    for name, x in params.items():
        if x.is_floating_point():
            total += float(check_computable(name, x).sum())
    if math.isfinite(total):  # only if all entries are; if a sum overflows, tensors are looked at entry by entry
        return
    for name, x in params.items():
        if x.is_floating_point() and not torch.isfinite(x).all():
            count = int((~torch.isfinite(x)).sum())
            raise BadInputError(
                f"`{name}` of model {k} has {count} NaN or infinite values of {x.numel()}. "
                "A diverged checkpoint cannot be matched: use an earlier one."
            )


def _check_alike(a: Params, b: Params, k: int) -> None:
    extra, missing = sorted(b.keys() - a.keys()), sorted(a.keys() - b.keys())
    if extra or missing:
        said = [f"{what} {_listed(names)}" for what, names in (("lacks", missing), ("has in addition", extra)) if names]
        raise BadInputError(f"Models 0 and {k} must have the same names, but model {k} {' and '.join(said)}.")
    for name, x in a.items():
        y = b[name]
        for what, left, right in (("shape", tuple(x.shape), tuple(y.shape)), ("dtype", x.dtype, y.dtype)):
            if left != right:
                raise BadInputError(
                    f"`{name}` must have the same {what} in all models, but has {left} in model 0 and {right} in model {k}."
                )
        if x.device != y.device:
            raise BadInputError(f"`{name}` is on {x.device} in model 0 and on {y.device} in model {k}. Move both to one device.")


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def working(params: Params, names: Sequence[str]) -> Params:
    """Return the named tensors, detached, in double precision if they are small and in at least single precision else.

    Whole numbers, such as edges of a graph, stay so.

    Args:
        params: Parameters by name.
        names: Which to keep.
    """
    wide = torch.float64 if is_small(params) else torch.float32
    kept = {n: params[n].detach() for n in names}
    return {n: x.to(torch.promote_types(x.dtype, wide)) if _has_precision(x) else x for n, x in kept.items()}


def is_small(params: Params) -> bool:
    """Return whether a model is small enough to work at full precision, whatever it is stored in.

    Args:
        params: Parameters by name.
    """
    return sum(x.numel() for x in params.values()) <= LARGE


def _has_precision(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


def moving_names(symmetry: Symmetry) -> list[str]:
    """Return the names of the tensors that the symmetry moves or reads, in order.

    Args:
        symmetry: Any symmetry.
    """
    names = dict.fromkeys(name for factor in symmetry.factors for name in factor.tensors)
    for factor in symmetry.factors:
        for binding in factor.bindings:
            for step in getattr(binding, "through", ()):
                names[step.weight] = None
    return list(names)
