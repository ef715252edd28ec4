"""The freedoms that no weight bears: as few further entries frozen as these freedoms have dimensions."""

from collections import defaultdict
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import torch
from scipy.linalg import qr
from torch import Tensor, nn
from torch.nn.utils import parametrize

from parasym.breaking.frozen_entries import FrozenEntries
from parasym.core import child_generator
from parasym.find import find
from parasym.symmetry import Factor, Shift, Symmetry

_ROUNDS = 8
_RANK = 1e-9


def freeze_leftover(
    model: nn.Module, inputs: tuple[Any, ...], before: Symmetry, allowed: Iterable[str], *, seed: int, std: float
) -> None:
    r"""Freeze entries of ``model``, in place, until ``find`` sees nothing more that they bear.

    A freedom of ``k`` dimensions moves a tensor along ``k`` directions, the rows of a matrix ``T``. If ``k`` columns of ``T`` are
    independent, then freezing these entries leaves no combination of the directions. They are found by a QR decomposition
    with pivoting. Translations are taken from the model as it was *before* weights were masked: one that a masked weight
    carries on (from a value bias to an output bias) remains, but the factor that describes it does not.

    Which entries these are depends on shapes and the seed only, never on the numbers of the model.

    Args:
        model: A module that nobody else holds, its weights masked.
        inputs: Example inputs.
        before: The symmetry of the model before that.
        allowed: Names of the tensors whose entries may be frozen.
        seed: Seed of the constants.
        std: Their standard deviation.
    """
    names = set(allowed)
    translations = tuple(f for f in before.factors if isinstance(f.bindings[0], Shift))
    entries = pivots(before, translations, names, seed)
    for _ in range(_ROUNDS):
        for name, index in entries.items():
            freeze_entries(model, name, index, seed=seed, std=std)
        left = find(model, inputs)
        renamed = {stored_name(model, name) for name in names}
        entries = pivots(left, left.factors, renamed, seed)
        if not entries:
            return


def pivots(symmetry: Symmetry, factors: tuple[Factor, ...], allowed: set[str], seed: int) -> dict[str, Tensor]:
    """Return entries of allowed tensors without which the factors cannot move, by tensor; flat indices.

    A factor is stopped at the first allowed tensor that it moves; one that moves none is passed over.

    Args:
        symmetry: Says shapes.
        factors: What is to be stopped.
        allowed: Names of tensors.
        seed: Seed of the point at which directions are taken.
    """
    bearer = {k: next((n for n in f.tensors if n in allowed), None) for k, f in enumerate(factors)}
    params = {name: _generic(name, shape, seed) for name, shape in symmetry.shapes}
    rows: dict[str, list[Tensor]] = defaultdict(list)
    for k, factor in enumerate(factors):
        name = bearer[k]
        if name is None:
            continue
        if not factor.group.continuous:
            rows[name].extend(torch.eye(params[name].numel(), dtype=torch.float64) if params[name].ndim <= 1 else ())
        for _, tangent in symmetry.only(factor.id).generators(params):
            rows[name].append(tangent[name].flatten())
    out = {}
    for name, directions in rows.items():
        if directions:
            parts: Any = qr(torch.stack(directions).numpy(), mode="r", pivoting=True)
            r, order = parts
            size = np.abs(np.diag(r))
            out[name] = torch.from_numpy(order[: int((size > _RANK * max(size.max(), 1.0)).sum())].copy()).long()
    return {name: index for name, index in out.items() if len(index)}


def freeze_entries(model: nn.Module, name: str, index: Tensor, *, seed: int, std: float) -> None:
    """Freeze entries of a parameter, in place; more of them where some are frozen already.

    Gains (vectors called ``weight``) get constants around one, all others around zero.

    Args:
        model: The module.
        name: The parameter's name, as in ``named_parameters``.
        index: Flat indices.
        seed: Seed of the constants.
        std: Their standard deviation.
    """
    path, _, tensor = name.rpartition(".")
    owner: Any = model.get_submodule(path)
    stored = isinstance(owner, parametrize.ParametrizationList)
    if stored:
        tensor = path.rpartition(".")[2]
        path = path.rpartition(".parametrizations.")[0] if ".parametrizations." in path else ""
        owner = model.get_submodule(path)
    vector = owner.parametrizations[tensor].original if stored else getattr(owner, tensor)
    plain = f"{path}.{tensor}" if path else tensor
    noise = torch.randn(vector.shape, generator=child_generator(seed, f"{plain}:frozen"), dtype=torch.float64)
    around = 1.0 if tensor == "weight" and vector.ndim == 1 else 0.0
    mask = torch.ones(vector.shape, dtype=torch.bool, device=vector.device)
    mask.view(-1)[index.to(vector.device)] = False
    constants = (around + std * noise).to(vector)
    if not stored:
        parametrize.register_parametrization(owner, tensor, FrozenEntries(mask, constants))
        return
    one = next(p for p in owner.parametrizations[tensor] if isinstance(p, FrozenEntries))
    with torch.no_grad():
        one.frozen.copy_(torch.where(one.mask & ~mask, constants, one.frozen))
        one.mask &= mask
        vector.mul_(one.mask)


def stored_name(model: nn.Module, name: str) -> str:
    """Return the name under which a parameter is stored: another one once entries of it are frozen.

    Args:
        model: Any module.
        name: The name that the parameter had.
    """
    path, _, tensor = name.rpartition(".")
    owner = model.get_submodule(path)
    if not parametrize.is_parametrized(owner, tensor):
        return name
    return f"{path}.parametrizations.{tensor}.original" if path else f"parametrizations.{tensor}.original"


def _generic(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    # Positive, because variances are; generic otherwise.
    source = child_generator(seed, f"{name}:point")
    return 0.5 + torch.rand(prod(shape), generator=source, dtype=torch.float64).reshape(shape)
