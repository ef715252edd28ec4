"""A symmetry as a table of text."""

from parasym.symmetry.factor import Factor
from parasym.symmetry.symmetry import Symmetry


def describe(symmetry: Symmetry) -> str:
    """Return a table with one row per factor, then what is uncovered and pinned for lack of a finer rule.

    Args:
        symmetry: Any symmetry.
    """
    rows = [("group", "wire", "acts on"), *(_row(factor) for factor in symmetry.factors)]
    widths = [max(len(row[k]) for row in rows) for k in range(2)]
    lines = [f"Symmetry: order {_power_of_ten(symmetry.order)}, dimension {symmetry.dimension}"]
    lines += ["  ".join((row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2])).rstrip() for row in rows]
    flat = symmetry.flat
    if flat is not None and (flat.count or not flat.exact):
        lines.append(f"flat directions left: {flat}")
    elif not symmetry.factors:
        lines.append("(trivial)")
    for item in symmetry.uncovered:
        lines.append(f"uncovered: {item.operation} in {item.module or 'the model'} ({item.source}): {item.reason}")
    lines += [str(pin) for pin in symmetry.coarse]
    lines += [str(refuted) for refuted in symmetry.refuted]
    if symmetry.law:
        lines.append(f"in law: {', '.join(symmetry.law)} {'draws' if len(symmetry.law) == 1 else 'draw'} random numbers")
    if symmetry.self_check is not None:
        lines.append(str(symmetry.self_check))
    return "\n".join(lines)


def group_name(factor: Factor) -> str:
    """Return :attr:`Factor.label`.

    Args:
        factor: Any factor.
    """
    return factor.label


def _row(factor: Factor) -> tuple[str, str, str]:
    over = "".join(f" per {wire.name}" for wire in factor.over)
    names = factor.tensors
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return factor.label, factor.wire.name + over, shown


def _power_of_ten(order: int) -> str:
    # Python refuses to print integers of more than 4300 digits; the exponent says enough.
    if order < 10**12:
        return str(order)
    digits = order.bit_length() * 0.30102999566398120
    return f"about 10^{digits:.0f}"
