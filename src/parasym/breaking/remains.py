"""What breaking leaves of a model: parameters, and factors of its symmetry, each with the reason."""

from collections.abc import Iterable, Mapping

from torch import nn

from parasym.breaking.freeze import frozen_tensors
from parasym.breaking.report import Left
from parasym.symmetry import Factor, Symmetry, group_name


def remains(model: nn.Module, symmetry: Symmetry | None, aside: Mapping[str, str]) -> tuple[Left, ...]:
    """Return what was left as it was, and why.

    Args:
        model: The broken model.
        symmetry: What `find` sees in it, ``None`` where that is not known.
        aside: Parameters that were set aside, with the reason.
    """
    frozen = {name for name, *_ in frozen_tensors(model)}
    left = list(_by_reason(aside.items()))
    vectors = [n for n, x in model.named_parameters() if x.ndim <= 1 and n not in frozen and n not in aside]
    if vectors:
        left.append(Left(tuple(vectors), "vectors, which have no rows"))
    if symmetry is not None:
        trained = {name for name, x in model.named_parameters() if x.requires_grad}
        left += dict.fromkeys(Left(factor.tensors, _why(factor, frozen, trained)) for factor in symmetry.factors)
        left += [Left((f"{u.operation} in {u.module or 'the model'}",), u.reason) for u in symmetry.uncovered]
    return tuple(left)


def _by_reason(aside: Iterable[tuple[str, str]]) -> Iterable[Left]:
    reasons: dict[str, list[str]] = {}
    for name, reason in aside:
        reasons.setdefault(reason, []).append(name)
    return (Left(tuple(names), reason) for reason, names in reasons.items())


def _why(factor: Factor, frozen: set[str], trained: set[str]) -> str:
    head = f"{group_name(factor)} still acts on them"
    if not trained & set(factor.tensors):
        return f"{head}: none is trained"
    if not frozen & set(factor.tensors):
        return f"{head}: none has frozen entries; leftover='freeze' stops it"
    return f"{head}: it keeps the constants, as signs and scales keep those of zero"
