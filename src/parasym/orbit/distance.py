"""``distance``: how far two orbits are apart."""

from collections.abc import Sequence
from math import prod
from typing import Literal, Self

import torch

from parasym.core import Params
from parasym.core.arguments import Model
from parasym.orbit.canonical import standard_element
from parasym.orbit.capable import ensure_matchable
from parasym.orbit.closure import Closed, gauge_facts, least_point
from parasym.orbit.conditioning import ill_notes
from parasym.orbit.exchange import are_all_tried, closest
from parasym.orbit.inputs import counting, given_models, not_counted
from parasym.orbit.method import AbstractMethod
from parasym.orbit.objective import STATISTICS, counted, gap, norm
from parasym.orbit.weight import WeightMatching
from parasym.symmetry import Symmetry

REACHED = 1e-9
"""Logarithm of a scale to which the gauge counts as reached."""


class Distance(float):
    """A distance between two orbits, with what is known of it. It is a number like any other.

    Attributes:
        status: ``"minimal"`` if no element of the group brings the two closer, which is proved by trying or solving all;
            ``"upper bound"`` if a search found it.
        size: Norm of the first model in the gauge.
        gauge: What was done with each freedom before measuring, one sentence each.
        notes: What else one should know: channels that vanished, a gauge that was not reached.
    """

    status: Literal["minimal", "upper bound"]
    size: float
    gauge: tuple[str, ...]
    notes: tuple[str, ...]

    def __new__(
        cls,
        value: float,
        *,
        status: Literal["minimal", "upper bound"] = "upper bound",
        size: float = 0.0,
        gauge: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> Self:
        """Return a distance.

        Args:
            value: The distance.
            status: What is proved of it.
            size: Norm of the first model in the gauge.
            gauge: What was done with each freedom.
            notes: What else one should know.
        """
        self = super().__new__(cls, value)
        self.status, self.size, self.gauge, self.notes = status, size, tuple(gauge), tuple(notes)
        return self

    @property
    def relative(self) -> float:
        """The distance in norms of the first model."""
        return float(self) / self.size if self.size else float(self)


def distance(
    symmetry: Symmetry,
    a: Model,
    b: Model,
    *,
    method: AbstractMethod = WeightMatching(),
    generator: torch.Generator | None = None,
) -> Distance:
    r"""Return :math:`\min_k \|\bar a - k\,\bar b\|` over the isometries ``k`` of the group, both models in one fixed gauge.

    Along a scale the plain :math:`\min_g \|a - g b\|` measures where ``a`` sits, not which model it is: rescaling ``a``
    stretches the ruler. So both are first brought to the point of least norm of their orbit
    (:func:`~parasym.orbit.closure.least_point`), which is unique up to isometries. What is left does not depend on where ``a``
    and ``b`` sit, is symmetric in them, zero if one is a limit of what the group makes of the other, and obeys the triangle
    inequality where it is minimal.

    The minimum over permutations is a search. It starts from the standard position of both (:func:`canonicalize`), goes both
    ways, and the smaller result counts. It is proved minimal where all wires but small ones can be solved exactly, and an upper
    bound elsewhere: see :attr:`Distance.status`. Where a standard position is not unique (equal channels, dead ones) an upper
    bound may depend on where the models sit. Only what is trained counts: neither running statistics, nor buffers that never
    change, nor entries of weights in whose place constants stand (:attr:`~parasym.symmetry.Symmetry.frozen`).

    Args:
        symmetry: The symmetry of their architecture.
        a: A model: parameters and buffers by name, or the module that has them.
        b: Another one, with the same names, shapes, dtypes and device.
        method: How to search.
        generator: Source of randomness, on the CPU; only methods with restarts use it.

    Returns:
        A number, with what is known of it.

    Raises:
        SymmetryError: If a group cannot do what this takes (see :class:`parasym.groups.AbstractGroup`).
        BadInputError: If the two do not fit the symmetry or each other.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> generator = torch.manual_seed(0)
        >>> nets = [nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double() for _ in range(2)]
        >>> symmetry = find(nets[0], (torch.zeros(1, 4).double(),))
        >>> a, b = (model_params(net) for net in nets)
        >>> elsewhere = symmetry.sample(generator=generator)(a)  # the same function
        >>> d = distance(symmetry, a, b)
        >>> print(f"{d:.4f} {distance(symmetry, b, elsewhere):.4f} {distance(symmetry, a, elsewhere):.4f}")
        2.0538 2.0538 0.0000
        >>> d.status, d.gauge
        ('minimal', ('scale(5) of `0.weight[0]`: least norm',))

    References:
        Kempf, Ness. The length of vectors in representation spaces. 1979.
    """
    models = given_models(symmetry, (a, b), ("a", "b"), "distance(symmetry, a, b)")
    ensure_matchable(symmetry, "distance")
    left, right = (least_point(symmetry, counting(symmetry, x)) for x in models)
    ill = tuple(f"{note[0].upper()}{note[1:]}." for note in ill_notes(symmetry, dict(zip("ab", models, strict=True))))
    x, y = (standard_element(symmetry, p.params)(p.params) for p in (left, right))
    there, back = (_gap(symmetry, one, two, method, generator) for one, two in ((x, y), (y, x)))
    return Distance(
        min(there, back),
        status="minimal" if are_all_tried(symmetry) and method.is_exact(symmetry, x) else "upper bound",
        size=norm(x),
        gauge=gauge_facts(symmetry, counted(x, STATISTICS)),
        notes=(*_notes(left, right), *_without_standard_position(symmetry), *_not_counted(symmetry), *ill),
    )


def _gap(symmetry: Symmetry, a: Params, b: Params, method: AbstractMethod, generator: torch.Generator | None) -> float:
    first, then = closest(symmetry, a, b, method, generator)
    return gap(a, then.element(first(b)))


def _notes(*points: Closed) -> tuple[str, ...]:
    out = []
    vanished = list(dict.fromkeys(name for p in points for name in p.vanished))
    if vanished:
        names = ", ".join(f"`{name}`" for name in vanished)
        out.append(f"Channels of {names} that nothing reads, or nothing writes, count as zero.")
    residual = max(p.residual for p in points)
    if residual > REACHED:
        out.append(
            f"The gauge was reached only up to factors of 1 ± {residual:.0e}, so the distance depends on where the models sit."
        )
    return tuple(out)


def _not_counted(symmetry: Symmetry) -> tuple[str, ...]:
    why = {True: "they are kept for padding and not trained", False: "nothing reads them"}
    return tuple(
        f"{x.count} of {prod(x.shape)} entries of `{x.tensor}` do not count: {why[x.read]}." for x in not_counted(symmetry)
    )


def _without_standard_position(symmetry: Symmetry) -> tuple[str, ...]:
    """Return the factors that have no standard position, so that where the models sit may decide between upper bounds."""
    lacking = [
        f for f in symmetry.factors if f.linear and not any(map(f.group.can, ("sort", "diagonalize", "orient", "balance")))
    ]
    return tuple(
        f"{f.label} of `{f.wire.name}` has no standard position: the search starts where the models are." for f in lacking
    )
