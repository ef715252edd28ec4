"""What the study of linear mode connectivity claims: the orderings of the paper, and controls that it lacks."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from parasym.studies.claim import SIZE, Claim
from parasym.studies.interval import Estimate, larger, mean_interval, paired_interval
from parasym.studies.row import Record

Found = Mapping[str, Mapping[int, Record]]
"""For every method the records by pair that did not diverge."""

LARGEST_MARGIN, SHARE_OF_STANDARD = 0.05, 0.1
"""A barrier counts as none within the smaller of 0.05 nats and a tenth of the standard one."""

SIZES = {"w-zero": 0.0, "w-0.1": 0.1, "w-0.3": 0.3, "w": 1.0}
"""Of the constants, as a multiple of what the paper publishes."""
FEWEST_SIZES = 3


class Ordering(NamedTuple):
    """A claim that the barrier of one method is below that of another."""

    low: str
    high: str
    control: bool = False


CONTROLS = (
    *(Ordering("w", name, True) for name in ("as-many", "double", "kaiming", "anchor")),
    *(Ordering(name, "standard", True) for name in ("w-zero", "anchor", "shared-start")),
)
UNBROKEN = ("weight-matching", "activation-matching", "sigma", "w")
CONTROLLED = ("w-zero", "anchor", "shared-start")
"""What could have no barrier at all: as the paper has it, and as it does not."""


def orderings(matching: str) -> tuple[Ordering, ...]:
    """Return the orderings of the paper's table, then the controls.

    Args:
        matching: How the paper matched this architecture.
    """
    low_high = ((matching, "standard"), ("sigma", "standard"), ("w", "standard"), ("w", "sigma"), ("w", matching))
    return (*(Ordering(*both) for both in low_high), *CONTROLS)


def lmc_claims(found: Found, titles: Mapping[str, str], paper: Mapping[str, str]) -> tuple[Claim, ...]:
    """Return all claims about one architecture.

    All are made of pairs of networks: whichever two methods are compared, it is their difference in one pair that is averaged.
    Where they share networks, masks or seeds nothing else is right, and where they share nothing it is right too.

    Args:
        found: The records.
        titles: Of the methods, for people.
        paper: The paper's barriers by method, as text.
    """
    matching = "activation-matching" if "activation-matching" in paper else "weight-matching"
    margin = _margin(_mean(found.get("standard", {}), "barrier"))
    claims = [_ordering(found, o, titles, paper) for o in orderings(matching) if o.low in found and o.high in found]
    theirs = _margin_of(_number(paper["standard"])) if "standard" in paper else None
    for name in (name for name in (*UNBROKEN, *CONTROLLED) if name in found):
        said = paper.get(name, "")
        tick = _number(said) / theirs if said and theirs else None
        ours, control = _mean(found[name], "barrier"), name in CONTROLLED
        claims.append(_equivalence(titles[name], 0.0, ours, margin, control=control, said=said, theirs=tick))
    if "w" in found and "anchor" in found:
        both = _paired(found, "w", "anchor", "barrier")
        claims.append(_equivalence(titles["w"], titles["anchor"], both, margin, control=True))
    return (*claims, *_trend(found), *_exchange(found, titles))


def _margin(standard: Estimate | None) -> float | None:
    return _margin_of(standard.mean) if standard is not None and standard.mean > 0 and standard.p_value() <= SIZE else None


def _margin_of(standard: float) -> float:
    return min(LARGEST_MARGIN, SHARE_OF_STANDARD * standard)


def _ordering(found: Found, ordering: Ordering, titles: Mapping[str, str], paper: Mapping[str, str]) -> Claim:
    low, high = ordering.low, ordering.high
    stated = low in paper and high in paper
    numbers = [_number(paper[name]) for name in (low, high)] if stated else []
    return Claim(
        "barrier",
        titles[low],
        "<",
        titles[high],
        _paired(found, low, high, "barrier"),
        unit="nats",
        scale=_scale(found, low, high, "barrier"),
        said=f"{paper[low]} < {paper[high]}" if stated else "",
        theirs=(numbers[0] - numbers[1]) / max(map(abs, numbers)) if stated else None,
        control=ordering.control,
    )


def _equivalence(
    a: str,
    b: str | float,
    ours: Estimate | None,
    margin: float | None,
    *,
    control: bool,
    said: str = "",
    theirs: float | None = None,
) -> Claim:
    return Claim("barrier", a, "=", b, ours, margin=margin, unit="nats", said=said, theirs=theirs, control=control)


def _trend(found: Found) -> list[Claim]:
    """Return the claim that barriers fall as constants grow: per pair the slope of a line through the sizes that there are."""
    sizes = [name for name in SIZES if name in found]
    if len(sizes) < FEWEST_SIZES or not {"w-zero", "w"} <= set(sizes):
        return []
    pairs = sorted(set.intersection(*(set(found[name]) for name in sizes)))
    x = np.array([SIZES[name] for name in sizes])
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    slopes = [float(weights @ [found[name][pair]["barrier"] for name in sizes]) for pair in pairs]
    largest = _mean(found["w-zero"], "barrier")
    name = "slope of the barrier in the size of constants"
    ours = mean_interval(slopes) if slopes else None
    scale = abs(largest.mean) if largest else None
    return [Claim(name, "W-asymmetric", "<", 0.0, ours, unit="nats", scale=scale, control=True)]


def _exchange(found: Found, titles: Mapping[str, str]) -> list[Claim]:
    measured: dict[str, dict[int, Record]] = {
        method: {pair: record for pair, record in records.items() if "exchange_cost" in record}
        for method, records in found.items()
    }
    if not measured.get("standard"):
        return []
    return [
        Claim(
            "exchange cost",
            titles[method],
            ">",
            titles["standard"],
            _paired(measured, method, "standard", "exchange_cost"),
            unit="nats",
            scale=_scale(measured, method, "standard", "exchange_cost"),
            control=True,
        )
        for method in ("sigma", "w")
        if measured.get(method)
    ]


def _paired(found: Found, a: str, b: str, field: str) -> Estimate | None:
    pairs = sorted(found[a].keys() & found[b].keys())
    return paired_interval(*([found[name][pair][field] for pair in pairs] for name in (a, b))) if pairs else None


def _mean(records: Mapping[int, Record], field: str) -> Estimate | None:
    return mean_interval([record[field] for record in records.values()]) if records else None


def _scale(found: Found, a: str, b: str, field: str) -> float | None:
    return larger(*(_mean(found[name], field) for name in (a, b)))


def _number(text: str) -> float:
    return float(text.split(maxsplit=1)[0])
