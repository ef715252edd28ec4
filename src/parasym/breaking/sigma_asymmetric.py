"""Sigma-asymmetry: activations through which no permutation and no scale passes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from parasym.breaking.activation_site import ACTIVATIONS, ActivationSites, activation_sites
from parasym.breaking.amount import check_patterns, value_for
from parasym.breaking.figlu import FiGLU
from parasym.breaking.graph import symmetry_of
from parasym.breaking.method import AbstractBreaking
from parasym.breaking.remains import remains
from parasym.breaking.report import BreakReport, Broken, Left
from parasym.core import BadInputError, CaptureError, child_generator
from parasym.functional import Call

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
        replace: The activations to replace: names of those of ``torch.nn``, all element-wise ones by default, and modules of your
            own by class or by the name of the class.
        channels: Whether channels are axis 1, by pattern, where the guess from the layers before is wrong.
        functional: ``"error"`` or ``"leave"``.
        seed: Seed of the matrices. It is part of the architecture.

    Raises:
        BadInputError: If an argument is out of its range.

    Example:
        >>> from parasym.breaking import break_
        >>> from parasym.find import find
        >>> model, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), torch.zeros(2, 4)
        >>> broken = break_(model, SigmaAsymmetric(seed=0), x).model
        >>> broken[1]
        FiGLU(5, std=0.4472, channels=False)
        >>> find(model, (x,)).order, find(broken, (x,)).order
        (120, 1)

    References:
        Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS 2024, section 4.2.
    """

    std: float | Mapping[str, float] | None = None
    replace: tuple[str | type[nn.Module], ...] = tuple(_BY_NAME)
    channels: Mapping[str, bool] | None = None
    functional: str = "error"
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.replace, str | type):
            raise BadInputError(f"Argument `replace` must be a tuple of activations, but is {self.replace!r}.")
        others = [kind for kind in self.replace if _is_of_torch(kind)]
        if others:
            raise BadInputError(
                f"Argument `replace` must be a tuple of activations that FiGLU can replace, but has {others!r}. Known are "
                f"{', '.join(_BY_NAME)}; modules of your own count by their class or its name."
            )
        if self.functional not in ("error", "leave"):
            raise BadInputError(f"Argument `functional` must be 'error' or 'leave', but is {self.functional!r}.")

    def apply(
        self, model: nn.Module, call: Call | None, *, generator: torch.Generator | None
    ) -> tuple[BreakReport, list[dict[str, Any]]]:
        """Replace the activations of ``model`` in place.

        Args:
            model: A module that nobody else holds.
            call: Example inputs, for the widths of the activations.
            generator: Not used: the matrices are drawn from ``seed``.

        Returns:
            What was replaced, and the plan of it.

        Raises:
            BadInputError: If there are no inputs, no activations, or some that cannot be replaced.
        """
        del generator
        if call is None:
            raise BadInputError("Argument `inputs` is needed: how wide an activation is shows when the model runs once.")
        kinds = self._kinds(model)
        sites = activation_sites(model, call, kinds)
        self._refuse(sites, [path for path, module in model.named_modules() if isinstance(module, kinds)])
        check_patterns(self.std, list(sites.calls), "std")
        check_patterns(self.channels, list(sites.calls), "channels")
        plan = [self._planned(path, calls) for path, calls in sites.calls.items()]
        report = self.replay(model, {"seed": self.seed}, plan)
        left = tuple(Left((entry,), "an activation that is called as a function") for entry in sites.functional)
        try:
            symmetry = symmetry_of(model, call)
        except CaptureError as error:
            symmetry, why = None, f"not known: {str(error).partition('. ')[0]}"
            left = (*left, Left(("what is left of the symmetry",), why))
        return BreakReport(str(self), report.broken, (*left, *remains(model, symmetry, {})), symmetry), plan

    @classmethod
    def replay(cls, model: nn.Module, options: dict[str, Any], plan: list[dict[str, Any]]) -> BreakReport:
        """Replace in place what was replaced in another model.

        Args:
            model: A module that nobody else holds.
            options: The fields of the recipe.
            plan: What to replace.

        Returns:
            What was replaced.
        """
        anchor = next((x for x in model.parameters() if x.is_floating_point()), None)
        broken = []
        for one in plan:
            source = child_generator(options["seed"], f"{one['path']}:figlu")
            unit = FiGLU(one["width"], one["std"], channels=one["channels"], generator=source)
            name = type(model.get_submodule(one["path"])).__name__
            _replace(model, one["path"], unit if anchor is None else unit.to(anchor))
            broken.append(Broken(one["path"], f"{unit} in place of {name}"))
        return BreakReport(cls.__name__, tuple(broken), ())

    def _kinds(self, model: nn.Module) -> tuple[type[nn.Module], ...]:
        """Return the types to replace; names that are none of torch's are looked up among the modules of the model."""
        own = {type(module).__name__: type(module) for module in model.modules()}
        unknown = [kind for kind in self.replace if isinstance(kind, str) and kind not in own and kind not in _BY_NAME]
        if unknown:
            raise BadInputError(
                f"Argument `replace` names {', '.join(map(str, unknown))}, but no module of the model has such a type. It has "
                f"{', '.join(sorted(own))}."
            )
        return tuple(_BY_NAME.get(kind) or own[kind] if isinstance(kind, str) else kind for kind in self.replace)

    def _refuse(self, sites: ActivationSites, paths: list[str]) -> None:
        if sites.functional and self.functional == "error":
            raise BadInputError(
                f"Argument `model` calls activations as functions, which cannot be replaced: {', '.join(sites.functional)}. Make "
                "each a module (nn.ReLU() for torch.relu), or give functional='leave' to leave these wires as they are. Modules "
                "of your own that are activations are replaced as a whole if `replace` names them."
            )
        if not sites.calls:
            names = ", ".join(kind if isinstance(kind, str) else kind.__name__ for kind in self.replace)
            raise BadInputError(f"Argument `model` has no activation to replace: looked for {names}.")
        silent = [path for path in paths if path not in sites.calls]
        if silent:
            raise BadInputError(
                f"`{silent[0]}` was not called on `inputs`, so its width is not known. Give inputs that reach it, or remove it."
            )

    def _planned(self, path: str, calls: list[tuple[torch.Size, bool]]) -> dict[str, Any]:
        seen: dict[tuple[int, bool], None] = {}
        for shape, guess in calls:
            channels = bool(value_for(self.channels or {}, path, otherwise=guess))
            seen[shape[1 if channels else -1], channels] = None
        if len(seen) > 1:
            widths = ", ".join(str(width) for width, _ in seen)
            raise BadInputError(f"`{path}` is used with several widths ({widths}). Give each place an activation of its own.")
        ((width, channels),) = seen
        std = self.std if not isinstance(self.std, Mapping) else value_for(self.std, path, otherwise=width**-0.5)
        return {"path": path, "width": width, "std": std, "channels": channels}


def _is_of_torch(kind: str | type[nn.Module]) -> bool:
    """Whether it is a module of torch that is no activation which mixing channels can replace."""
    name = kind if isinstance(kind, str) else kind.__name__
    found = getattr(nn, name, None)
    return name not in _BY_NAME and isinstance(found, type) and (isinstance(kind, str) or kind is found)


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
