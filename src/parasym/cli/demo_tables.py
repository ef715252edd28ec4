"""The tables of the demo: for the terminal and for the page."""

from collections.abc import Sequence

from parasym.report import Columns, Table, mean_spread, percent
from parasym.studies import Merging, Score


def spread(values: Sequence[float], *, as_percent: bool = False) -> str:
    """Return the mean and the standard deviation as text.

    Args:
        values: At least one number.
        as_percent: Whether they are fractions.

    Example:
        >>> spread([0.9, 0.98], as_percent=True)
        '94.0 ± 5.7 %'
        >>> spread([0.1234, 0.1234])
        '0.123 ± 0.000'
    """
    mean, deviation = mean_spread(values)
    if as_percent:
        return f"{100 * mean:.1f} ± {100 * deviation:.1f} %"
    return f"{mean:.3f} ± {deviation:.3f}"


def summary_table(found: Sequence[Merging]) -> Table:
    """Return one row per kind of network: accuracy alone, at the midpoints, and of the merge of all.

    Args:
        found: What was measured.
    """
    rows = tuple(
        (
            m.task.architecture.title,
            m.report.holds,
            spread([n.test.accuracy for n in m.networks], as_percent=True),
            spread([p.naive_midpoint.accuracy for p in m.pairs], as_percent=True),
            spread([p.matched_midpoint.accuracy for p in m.pairs], as_percent=True),
            percent(m.naive_all.accuracy),
            percent(m.matched_all.accuracy),
        )
        for m in found
    )
    columns: Columns = (
        ("network", "left"),
        ("group verified", "left"),
        ("one network", "right"),
        ("midpoint, naive", "right"),
        ("midpoint, matched", "right"),
        ("all, naive", "right"),
        ("all, matched", "right"),
    )
    count, pairs = len(found[0].networks), len(found[0].pairs)
    note = f"Test accuracy on held-out digits; mean ± standard deviation over n = {count} networks and n = {pairs} "
    note += "pairs of each kind."
    return Table("Test accuracy", columns, rows, note)


def network_table(found: Merging) -> Table:
    """Return one row per trained network and per way to join them: loss and accuracy on the test set.

    Args:
        found: What was measured.
    """
    rows = [(f"seed {n.seed}", *_both(n.test), percent(n.train.accuracy)) for n in found.networks]
    joined = [
        ("all averaged, naive", found.naive_all),
        ("all merged, matched", found.matched_all),
        ("ensemble of all predictions", found.ensemble),
    ]
    rows += [(name, *_both(score), "") for name, score in joined]
    columns: Columns = (("network", "left"), ("test loss", "right"), ("test accuracy", "right"), ("train accuracy", "right"))
    note = f"The ensemble evaluates all {len(found.networks)} networks; the averages are one network each."
    return Table(found.task.architecture.title, columns, tuple(rows), note, strong=(len(rows) - 2,))


def pair_table(found: Merging) -> Table:
    """Return naive and matched side by side over all pairs.

    Args:
        found: What was measured.
    """
    before, after = [p.naive_midpoint for p in found.pairs], [p.matched_midpoint for p in found.pairs]
    rows = (
        ("loss at the midpoint", spread([s.loss for s in before]), spread([s.loss for s in after])),
        (
            "accuracy at the midpoint",
            spread([s.accuracy for s in before], as_percent=True),
            spread([s.accuracy for s in after], as_percent=True),
        ),
        (
            "highest barrier in loss",
            spread([p.naive.maximum for p in found.pairs]),
            spread([p.matched.maximum for p in found.pairs]),
        ),
        ("distance of the weights", spread([p.distance for p in found.pairs]), spread([p.matched_distance for p in found.pairs])),
    )
    note = f"Mean ± standard deviation over n = {len(found.pairs)} pairs. "
    note += "The barrier is the loss above the straight line between the ends."
    return Table("Between two networks", (("", "left"), ("naive", "right"), ("matched", "right")), rows, note)


def _both(score: Score) -> tuple[str, str]:
    return f"{score.loss:.3f}", percent(score.accuracy)
