r"""Linear wires through which little of what is stored can be told.

Around a wire with the symmetry :math:`GL(n)` only :math:`M = y x^\top` counts, of what goes in, ``x``, and what comes out, ``y``.
Both may be large although the product is small: then digits cancel. What rounding of ``x`` and ``y`` does to the smallest
singular value of ``M`` that is not zero is :math:`\varepsilon\,\|x\| \|y\| / s_{\min}(M)`, whatever is done with them afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups.least_norm import rank, thin_maps
from parasym.orbit.gauge import is_noncompact, roots
from parasym.orbit.objective import STATISTICS, counted
from parasym.orbit.translation import settle
from parasym.symmetry import Binding, Inverse, Shift, Symmetry


@dataclass(frozen=True)
class IllConditioned:
    """A wire through which half of the digits are lost, or more.

    Attributes:
        wire: Its name.
        condition: By how much it amplifies rounding; infinite if it is singular up to rounding.
        eps: Precision of the numbers.
    """

    wire: str
    condition: float
    eps: float

    def __str__(self) -> str:
        """Return one sentence."""
        if self.condition == float("inf"):
            return f"the maps before and after wire `{self.wire}` are singular up to rounding"
        error = self.condition * self.eps
        what = f"the maps before and after wire `{self.wire}` have condition {self.condition:.0e}"
        return f"{what}, so rounding changes them by {error:.0e}"


def ill_conditioned(symmetry: Symmetry, params: Params, eps: float) -> list[IllConditioned]:
    """Return the linear wires of which a model in this precision leaves less than half of the digits.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name.
        eps: Precision of what is stored.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)).double()
        >>> symmetry, a = find(net, (torch.zeros(1, 4).double(),)), model_params(net)
        >>> g = torch.tensor([[1e9, 0.0], [0.0, 1.0]]).double()
        >>> b = {"0.weight": g @ a["0.weight"], "1.weight": a["1.weight"] @ g.inverse()}
        >>> [[x.wire for x in ill_conditioned(symmetry, p, 2e-16)] for p in (a, b)]
        [[], ['0.weight[0]']]
    """
    names = set(counted(params, STATISTICS))
    wide = {n: x.detach().double() if x.is_floating_point() else x for n, x in params.items()}
    params, found = settle(symmetry, wide), []  # a large translation says nothing of what passes through
    for factor in symmetry.factors:
        places = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in names and b.power]
        if not (is_noncompact(factor) and factor.group.mixes) or {b.dual for b in places} != {False, True}:
            continue
        sides = roots(places, params)
        worst = float(_condition(sides[Fraction(1)], sides[Fraction(-1)]).max())
        if worst * eps > eps**0.5:
            found.append(IllConditioned(factor.wire.name, worst, eps))
    return found


def rounding(params: Params) -> float:
    """Return the coarsest precision of what a model stores.

    Args:
        params: Parameters by name.
    """
    return max((torch.finfo(params[n].dtype).eps for n in counted(params, STATISTICS)), default=0.0)


def _condition(x: Tensor, y: Tensor) -> Tensor:
    """Return by how much a wire amplifies rounding: infinite where two sides that both have something have nothing in common."""
    seen = thin_maps(x, y)[2].sum(-1)
    there = torch.minimum(rank(x), rank(y))
    values = torch.linalg.svdvals(y @ x.mT)
    smallest = values.gather(-1, (seen - 1).clamp_min(0).unsqueeze(-1)).squeeze(-1)
    condition = torch.linalg.matrix_norm(x) * torch.linalg.matrix_norm(y) / smallest
    condition = torch.where(seen < there, torch.full_like(condition, torch.inf), condition)
    return torch.where(there == 0, torch.ones_like(condition), condition)


def ill_notes(symmetry: Symmetry, models: Mapping[str, Params]) -> tuple[str, ...]:
    """Return a sentence for every model and linear wire of which little can be told.

    Args:
        symmetry: The symmetry of their architecture.
        models: Parameters as they were given, by what the model is called.
    """
    return tuple(f"in {name} {one}" for name, p in models.items() for one in ill_conditioned(symmetry, p, rounding(p)))


def vanished_gains(symmetry: Symmetry, params: Params) -> tuple[str, ...]:
    """Return one sentence for every gain that is zero at several channels.

    What reads these channels moves along one direction, which scales of the channels turn, although the gain does not show it:
    a scale between two translations is not undone by one of each.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name.
    """
    shifts = [b for f in symmetry.factors for b in f.bindings if isinstance(b, Shift)]
    steps = dict.fromkeys(step for shift in shifts for step in shift.through if isinstance(step, Inverse))
    zeros = {step.gain: int((params[step.gain] + step.offset == 0).sum()) for step in steps}
    return tuple(
        f"gain `{name}` is zero at {n} channels: scales of these and translations of what reads them do not add up to one of "
        "each, so others may come closer"
        for name, n in zeros.items()
        if n > 1
    )
