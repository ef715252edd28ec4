"""Sigma-asymmetry: activations through which no permutation and no scale passes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from parasym.breaking.activation_site import ACTIVATIONS, ActivationSites, activation_sites
from parasym.breaking.amount import check_patterns, value_for
from parasym.breaking.figlu import FiGLU
from parasym.breaking.method import AbstractBreaking
from parasym.core import BadInputError, child_generator

_BY_NAME = {kind.__name__: kind for kind in ACTIVATIONS}


@dataclass(frozen=True)
class SigmaAsymmetric(AbstractBreaking):
    r"""Replace every activation by :class:`FiGLU`, each with its own fixed matrix; the weights stay free.

    It breaks what lives on the wire of an activation: its permutations, scales and signs. It does not reach wires that no
    activation touches, such as queries and keys, a residual stream, translations, ``GL(n)`` between linear layers.

    Only activations that are modules can be replaced. Functions called in ``forward``, as ``torch.relu(x)``, are found and
    named in an error; ``functional="leave"`` leaves them as they are.

    Args:
        std: Standard deviation of the matrices, or by pattern of the activation's path; :math:`1/\sqrt{d}` if ``None`` and
            where no pattern matches.
        replace: Names of the activations of ``torch.nn`` to replace; all element-wise ones by default.
        channels: Whether channels are axis 1, by pattern, where the guess from the layers before is wrong.
        functional: ``"error"`` or ``"leave"``.
        seed: Seed of the matrices. It is part of the architecture.

    Raises:
        BadInputError: If an argument is out of its range.

    Example:
        >>> from parasym.breaking import break_
        >>> from parasym.find import find
        >>> model, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), torch.zeros(2, 4)
        >>> broken = break_(model, SigmaAsymmetric(seed=0), x)
        >>> broken[1]
        FiGLU(5, std=0.4472, channels=False)
        >>> find(model, (x,)).order, find(broken, (x,)).order
        (120, 1)

    References:
        Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS 2024, section 4.2.
    """

    std: float | Mapping[str, float] | None = None
    replace: tuple[str, ...] = tuple(_BY_NAME)
    channels: Mapping[str, bool] | None = None
    functional: str = "error"
    seed: int = 0

    def __post_init__(self) -> None:
        names = (self.replace,) if isinstance(self.replace, str) else self.replace
        unknown = [name for name in names if name not in _BY_NAME]
        if unknown or isinstance(self.replace, str):
            raise BadInputError(
                f"Argument `replace` must be a tuple of activations that FiGLU can replace, but has {unknown or self.replace!r}. "
                f"Known are {', '.join(_BY_NAME)}."
            )
        if self.functional not in ("error", "leave"):
            raise BadInputError(f"Argument `functional` must be 'error' or 'leave', but is {self.functional!r}.")

    def apply(self, model: nn.Module, inputs: tuple[Any, ...] | None, *, generator: torch.Generator | None) -> None:
        """Replace the activations of ``model`` in place.

        Args:
            model: A module that nobody else holds.
            inputs: Example inputs, for the widths of the activations.
            generator: Not used: the matrices are drawn from ``seed``.

        Raises:
            BadInputError: If there are no inputs, no activations, or some that cannot be replaced.
        """
        del generator
        if inputs is None:
            raise BadInputError("Argument `inputs` is needed: how wide an activation is shows when the model runs once.")
        kinds = tuple(_BY_NAME[name] for name in self.replace)
        sites = activation_sites(model, inputs, kinds)
        self._refuse(sites, [path for path, module in model.named_modules() if isinstance(module, kinds)])
        check_patterns(self.std, list(sites.calls), "std")
        check_patterns(self.channels, list(sites.calls), "channels")
        for path, calls in sites.calls.items():
            _replace(model, path, self._unit(model, path, calls))

    def _refuse(self, sites: ActivationSites, paths: list[str]) -> None:
        if sites.functional and self.functional == "error":
            raise BadInputError(
                f"Argument `model` calls activations as functions, which cannot be replaced: {', '.join(sites.functional)}. Make "
                "each a module (nn.ReLU() for torch.relu), or give functional='leave' to leave these wires as they are."
            )
        if not sites.calls:
            raise BadInputError(f"Argument `model` has no activation to replace: looked for {', '.join(self.replace)}.")
        silent = [path for path in paths if path not in sites.calls]
        if silent:
            raise BadInputError(
                f"`{silent[0]}` was not called on `inputs`, so its width is not known. Give inputs that reach it, or remove it."
            )

    def _unit(self, model: nn.Module, path: str, calls: list[tuple[torch.Size, bool]]) -> FiGLU:
        seen: dict[tuple[int, bool], None] = {}
        for shape, guess in calls:
            channels = bool(value_for(self.channels or {}, path, otherwise=guess))
            seen[shape[1 if channels else -1], channels] = None
        if len(seen) > 1:
            widths = ", ".join(str(width) for width, _ in seen)
            raise BadInputError(f"`{path}` is used with several widths ({widths}). Give each place an activation of its own.")
        ((width, channels),) = seen
        std = self.std if not isinstance(self.std, Mapping) else value_for(self.std, path, otherwise=width**-0.5)
        unit = FiGLU(width, std, channels=channels, generator=child_generator(self.seed, f"{path}:figlu"))
        anchor = next((x for x in model.parameters() if x.is_floating_point()), None)
        return unit if anchor is None else unit.to(anchor)


def _replace(model: nn.Module, path: str, unit: FiGLU) -> None:
    old = model.get_submodule(path)
    if old is model:
        raise BadInputError(
            f"Argument `model` is a {type(old).__name__} itself. Put it into nn.Sequential, so that it can be replaced."
        )
    for owner in list(model.modules()):
        for name, child in list(owner._modules.items()):
            if child is old:
                setattr(owner, name, unit)
