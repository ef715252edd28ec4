"""Which factors a verb can deal with: any other is refused by name, never passed over."""

from math import factorial

from parasym.core import SymmetryError
from parasym.symmetry import Factor, Flat, Swap, Symmetry


def ensure_matchable(symmetry: Symmetry, verb: str) -> None:
    """Check that every factor can be aligned between two models.

    Args:
        symmetry: The symmetry.
        verb: Who asks.

    Raises:
        SymmetryError: If a group lacks :meth:`~parasym.groups.AbstractGroup.align`, or ``balance`` and ``fit`` if it
            changes norms.
    """
    for factor in symmetry.factors:
        needed = ("align",) if factor.group.isometric else ("balance", "fit")
        _ensure(factor, verb, [name for name in needed if not factor.group.can(name)])


def ensure_canonical(symmetry: Symmetry, verb: str) -> None:
    """Check that every factor can be brought to a canonical place.

    Args:
        symmetry: The symmetry.
        verb: Who asks.

    Raises:
        SymmetryError: If a group has none of ``sort``, ``diagonalize`` and ``orient``, or no ``balance`` if it changes norms.
    """
    for factor in symmetry.factors:
        needed = ("sort", "diagonalize", "orient") if factor.group.isometric else ("balance",)
        _ensure(factor, verb, () if any(map(factor.group.can, needed)) else needed[-1:])


def _ensure(factor: Factor, verb: str, lacking: list[str] | tuple[str, ...]) -> None:
    """Refuse a factor by what it lacks. Translations and whole exchanges are solved by their bindings alone."""
    first, group = factor.bindings[0], factor.group
    where = f"{factor.label} on wire `{factor.wire.name}`"
    if factor.order == 1 and factor.dimension == 0:
        return
    if isinstance(first, Flat):
        raise SymmetryError(
            f"`{verb}` compares weights, but {where} moves the angles of a circuit: use `hop`, or "
            f"`symmetry.without({type(group).__name__})`."
        )
    if isinstance(first, Swap) and not (group.permutes and group.order == factorial(len(first.members))):
        raise SymmetryError(f"`{verb}` exchanges whole members in any order, but {where} allows some orders only.")
    if lacking and factor.linear:
        name = type(group).__name__
        methods = " and ".join(f"`{name}.{method}`" for method in lacking)
        raise SymmetryError(
            f"`{verb}` needs {methods} for {where}, but the group has no such method. Write it (see `AbstractGroup`), or leave "
            f"the factor out with `symmetry.without({name})`."
        )
