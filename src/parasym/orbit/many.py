"""``match_many``: several models brought to one place, none of them privileged."""

from collections.abc import Sequence

import torch

from parasym.core import Params
from parasym.core.arguments import Model
from parasym.orbit.capable import ensure_matchable
from parasym.orbit.conditioning import ill_notes
from parasym.orbit.exchange import closest
from parasym.orbit.gauge import in_gauge, unsettled
from parasym.orbit.inputs import counting, given_models, working
from parasym.orbit.method import AbstractMethod
from parasym.orbit.normal_form import normal_form
from parasym.orbit.objective import STATISTICS, counted, norm
from parasym.orbit.result import Matches
from parasym.orbit.translation import settling_moves
from parasym.orbit.weight import WeightMatching
from parasym.symmetry import Element, Symmetry

ROUNDS = 20
"""Bound on the rounds in which each model is matched to the mean of the others."""


def match_many(
    symmetry: Symmetry,
    models: Sequence[Model],
    *,
    method: AbstractMethod = WeightMatching(),
    generator: torch.Generator | None = None,
    max_rounds: int = ROUNDS,
) -> Matches:
    r"""Return one element per model, such that the moved models lie as close together as can be found.

    Alternates between the mean of the moved models and matching each to the mean of the others, in the balanced gauge:
    every round lowers :math:`\sum_k \|g_k \theta_k - \bar\theta\|^2`. The elements lead to one common place, so going
    from model ``i`` to ``j`` is :math:`g_j^{-1} g_i`, and going round a cycle is the identity by construction. The start is the
    model of least norm modulo the non-compact part of the group, whatever the order of the models.

    Args:
        symmetry: The symmetry of their architecture.
        models: Parameters and buffers by name, or modules; at least one.
        method: How to align one model to another.
        generator: Source of randomness, on the CPU; only methods with restarts use it.
        max_rounds: Bound on the rounds.

    Returns:
        One element per model, the moved models, and how far they are apart before and after.

    Raises:
        SymmetryError: If a group cannot do what this takes (see :class:`parasym.groups.AbstractGroup`).
        BadInputError: If the models do not fit the symmetry or each other.

    Example:
        Three copies of one network with their units exchanged and rescaled come back to one place.

        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> generator = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
        >>> symmetry = find(net, (torch.zeros(1, 4).double(),))
        >>> models = [symmetry.act(symmetry.sample(generator=generator), model_params(net)) for _ in range(3)]
        >>> found = match_many(symmetry, models)
        >>> print(f"{found.before:.2f} {found.after:.2f} {(found.params[0]['0.bias'] - found.params[1]['0.bias']).norm():.2f}")
        1.93 0.00 0.00

    References:
        Crisostomi et al. C2M3: cycle-consistent multi-model merging. NeurIPS 2024, https://arxiv.org/abs/2405.17897
    """
    given = given_models(symmetry, models, "models", "match_many(symmetry, [a, b, ...])")
    ensure_matchable(symmetry, "match_many")
    elements, notes, said = together(symmetry, [working(x, list(x)) for x in given], method, generator, max_rounds)
    params = tuple(g.exactly(x) for g, x in zip(elements, given, strict=True))
    before, after = (_spread([counting(symmetry, x) for x in models]) ** 0.5 for models in (given, params))
    notes += ill_notes(symmetry, {f"model {k}": x for k, x in enumerate(given)})
    return Matches(elements, params, before, after, not notes, (*notes, *said))


def together(
    symmetry: Symmetry, full: list[Params], method: AbstractMethod, generator: torch.Generator | None, max_rounds: int = ROUNDS
) -> tuple[tuple[Element, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the elements of :func:`match_many`, what did not converge, and what the method could not see.

    Args:
        symmetry: The symmetry.
        full: The models in working precision.
        method: How to align one model to another.
        generator: Source of randomness, on the CPU.
        max_rounds: Bound on the rounds.
    """
    balanced = [in_gauge(symmetry, counting(symmetry, x)) for x in full]
    points = [x.params for x in balanced]
    elements = [Element(symmetry) for _ in points]
    start = min(range(len(points)), key=lambda k: norm(points[k]))
    moved, said = list(points), dict[str, None]()
    for k in range(len(points)):
        if k != start:
            first, then = closest(symmetry, points[start], points[k], method, generator)
            elements[k] = then.element @ first
            said |= dict.fromkeys(then.notes)
            moved[k] = elements[k](points[k])
    spread, settled = _spread(moved), not method.descends or len(points) <= 2
    for _ in range(0 if settled else max_rounds):
        before = spread
        for k in range(len(points)):
            others = mean([x for j, x in enumerate(moved) if j != k])
            step = method.align(symmetry, others, moved[k], generator=generator).element
            trial = step(moved[k])
            after = _spread([trial if j == k else x for j, x in enumerate(moved)])
            if after < spread:
                elements[k], moved[k], spread = normal_form(symmetry, step @ elements[k]), trial, after
        settled = spread >= before * (1 - 1e-6)
        if settled:
            break
    notes = unsettled({f"model {k}": x.residual for k, x in enumerate(balanced)})
    notes += () if settled else (f"the models still moved towards each other after {max_rounds} rounds",)
    out = []
    for source, point, element in zip(full, balanced, elements, strict=True):
        linear = normal_form(symmetry, Element(symmetry, (*point.moves, *element.moves)))
        out.append(Element(symmetry, (*linear.moves, *settling_moves(symmetry, linear(source)))))
    return tuple(out), notes, tuple(said)


def mean(models: Sequence[Params]) -> Params:
    """Return the mean of models, accumulated in at least single precision; integers come from the first.

    Args:
        models: Parameters of the same names and shapes; at least one.
    """
    out: Params = {}
    for name, first in models[0].items():
        if not first.is_floating_point():
            out[name] = first.clone()
            continue
        total = first.detach().to(torch.promote_types(first.dtype, torch.float32)).clone()
        for other in models[1:]:
            total += other[name].detach()
        out[name] = (total / len(models)).to(first.dtype)
    return out


def _spread(models: Sequence[Params]) -> float:
    """Return the sum of squared distances to the mean, over all counted tensors."""
    total = 0.0
    for name in counted(models[0], STATISTICS):
        stack = torch.stack([m[name] for m in models]).double()
        total += float((stack - stack.mean(0)).square().sum())
    return total
