"""From rows to the numbers, claims and curves of the study of monotonic linear interpolation."""

from collections.abc import Sequence

from parasym.studies.claim import Claim
from parasym.studies.interval import Estimate, difference_interval, mean_interval, share_difference, share_interval
from parasym.studies.paper_network import network_named
from parasym.studies.row import Record, Row
from parasym.studies.summary import Cell, Line, Part, Runs, Summary
from parasym.studies.variant import VARIANTS

TITLES = {variant.name: variant.title for variant in VARIANTS}
CONTROLS = {variant.name for variant in VARIANTS if variant.control}

PAPER: dict[str, tuple[str, ...]] = {
    "standard": ("0.079 ± 0.109", "0.263", "0.548 ± 0.139", "0.823 ± 0.229"),
    "sigma": ("0.004 ± 0.047", "0.873", "0.675 ± 0.143", "0.976 ± 0.098"),
    "w": ("-0.027 ± 0.026", "1.000", "0.769 ± 0.165", "1.00 ± 0.000 (*)"),
}
"""Of ResNet8 on CIFAR-10: mean and standard deviation over 300 networks."""

COLUMNS = (
    ("largest rise", "largest_rise"),
    ("share monotonic", "monotonic"),
    ("local convexity", "local_convexity"),
    ("global convexity", "global_convexity"),
    ("last train loss", "last_loss"),
    ("test accuracy", "test_accuracy"),
)

NOTES = (
    "The paper's numbers are of ResNet8 on CIFAR-10 and stand beside ours for their order and sign.",
    "(*) The code released with the paper compares with the line to the second point of the grid instead of the last, which "
    "scores 1 for every decreasing curve; here global convexity is as the paper defines it, so other numbers are to be expected.",
    "Losses are of the whole train set without augmentation, with each network's own label smoothing. The paper's are of "
    "its augmented, shuffled loader.",
    "Networks of the same seed have the same plan in all variants. Rates go up to 0.5 as in the paper, so some networks diverge "
    "or learn nothing; those whose loss is not finite are counted as diverged and are in no mean.",
)


def summarize_mli(rows: Sequence[Row]) -> Summary:
    """Return what rows of the study say: one part per architecture, width and data.

    Args:
        rows: Finished rows.
    """
    groups: dict[tuple[str, float, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.task["architecture"], row.task["width"], row.task["data"]), []).append(row)
    parts = tuple(_part(key, group) for key, group in groups.items())
    return Summary("mli", "Monotonic linear interpolation", "train loss", parts, NOTES)


def _part(key: tuple[str, float, str], rows: list[Row]) -> Part:
    architecture, width, data = key
    found: dict[str, list[Record]] = {}
    for row in rows:
        for record in row.records:
            found.setdefault(record["method"], []).append(record)
    order = [name for name in TITLES if name in found]
    title = f"{network_named(architecture).title}, width {width:g}, on {data}"
    curves = tuple(_runs(name, found[name]) for name in order if _alive(found[name]))
    measures = tuple(name for name, _ in COLUMNS)
    return Part(title, measures, tuple(_line(name, found[name]) for name in order), _claims(found), curves, _note(rows))


def _alive(records: list[Record]) -> list[Record]:
    return [record for record in records if not record["diverged"]]


def _line(name: str, records: list[Record]) -> Line:
    alive = _alive(records)
    cells = []
    for k, (_, field) in enumerate(COLUMNS):
        paper = PAPER[name][k] if name in PAPER and k < len(PAPER[name]) else ""
        cells.append(Cell(_estimate(alive, field), paper))
    return Line(TITLES[name], len(alive), len(records) - len(alive), tuple(cells), control=name in CONTROLS)


def _estimate(alive: list[Record], field: str) -> Estimate | None:
    if not alive:
        return None
    if field == "monotonic":
        return share_interval(*_monotonic(alive))
    return mean_interval([record[field] for record in alive])


def _monotonic(alive: list[Record]) -> tuple[int, int]:
    return sum(record["monotonic"] for record in alive), len(alive)


def _claims(found: dict[str, list[Record]]) -> tuple[Claim, ...]:
    """Return the orderings of the paper's table, and its statement that W-asymmetric networks fall all the way."""
    alive = {name: _alive(records) for name, records in found.items()}
    claims = []
    for high, low in (("sigma", "standard"), ("w", "standard"), ("w", "sigma")):
        if not (high in found and low in found):
            continue
        a, b = alive[high], alive[low]
        titles = f"{TITLES[high]} > {TITLES[low]}"
        ours = share_difference(_monotonic(a), _monotonic(b)) if a and b else None
        claims.append(Claim(f"share monotonic: {titles}", ours, below=False, paper=f"{PAPER[high][1]} > {PAPER[low][1]}"))
        for k, (name, field) in ((0, COLUMNS[0]), (2, COLUMNS[2]), (3, COLUMNS[3])):
            both = [[record[field] for record in side] for side in (a, b)]
            ours = difference_interval(*both) if a and b else None
            sign = "<" if k == 0 else ">"
            text = f"{name}: {TITLES[high]} {sign} {TITLES[low]}"
            claims.append(Claim(text, ours, below=k == 0, paper=f"{PAPER[high][k]} {sign} {PAPER[low][k]}"))
    if "w" in found:
        ours = mean_interval([r["largest_rise"] for r in alive["w"]]) if alive["w"] else None
        claims.append(Claim("largest rise: W-asymmetric < 0, it falls at every step", ours, paper=PAPER["w"][0]))
    return tuple(claims)


def _runs(name: str, records: list[Record]) -> Runs:
    alive = _alive(records)
    return Runs(TITLES[name], tuple(alive[0]["t"]), tuple(tuple(record["loss"]) for record in alive))


def _note(rows: list[Row]) -> str:
    s = rows[0].task["sampling"]
    return (
        f"Rates {s['top_rate']:g} · 10^-U(0, {s['decades']:g}), decays 10^-U({s['least_decay']:g}, {s['most_decay']:g}), label"
        f" smoothing U(0, {s['smoothing']:g}), {s['first_epochs']} to {s['last_epochs']} epochs, {s['optimizer']}, batch"
        f" {s['batch']}. Means with 95 % intervals of Student's t, differences with Welch's, shares with Wilson's and Newcombe's."
    )
