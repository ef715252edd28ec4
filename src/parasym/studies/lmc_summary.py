"""From rows to the numbers, claims and curves of the study of linear mode connectivity."""

from collections.abc import Sequence
from typing import Any

from parasym.studies.interval import mean_interval
from parasym.studies.lmc_claims import lmc_claims
from parasym.studies.paper_network import network_named
from parasym.studies.row import Record, Row
from parasym.studies.summary import Cell, Line, Part, Runs, Summary
from parasym.studies.variant import VARIANTS

PAPER: dict[tuple[str, float], dict[str, str]] = {
    ("mlp", 1): {"standard": "0.188 ± 0.12", "weight-matching": "-0.006 ± 0.00", "sigma": "0.117 ± 0.01", "w": "-0.012 ± 0.00"},
    ("resnet20", 1): {
        "standard": "3.287 ± 0.32",
        "weight-matching": "2.041 ± 0.21",
        "sigma": "2.521 ± 0.46",
        "w": "0.934 ± 0.72",
    },
    ("resnet20", 8): {
        "standard": "2.640 ± 0.24",
        "weight-matching": "0.509 ± 0.45",
        "sigma": "1.492 ± 0.15",
        "w": "0.031 ± 0.05",
    },
    ("graph", 1): {
        "standard": "1.475 ± 0.24",
        "activation-matching": "0.269 ± 0.02",
        "sigma": "0.901 ± 0.11",
        "w": "0.095 ± 0.03",
    },
}
"""Midpoint test-loss barriers of the paper: mean and standard deviation over at least 5 pairs. It matched its MLP and ResNets by
weights and its graph network by activations."""

TITLES = {variant.name: variant.title for variant in VARIANTS} | {
    "weight-matching": "standard, matched by weights",
    "activation-matching": "standard, matched by activations",
}
ORDER = ("standard", "weight-matching", "activation-matching", *(v.name for v in VARIANTS[1:]))
CONTROLS = {variant.name for variant in VARIANTS if variant.control}

COLUMNS: tuple[tuple[str, str], ...] = (
    ("midpoint barrier", "barrier"),
    ("accuracy barrier", "accuracy_barrier"),
    ("maximum barrier", "maximum"),
    ("loss of one", "end_loss"),
    ("accuracy of one", "end_accuracy"),
    ("train loss", "train_loss"),
    ("barrier at equal loss", "barrier_at_loss"),
    ("distance from the start", "from_start"),
    ("distance apart", "apart"),
    ("exchange cost", "exchange_cost"),
)

NOTES = (
    "The paper's numbers stand beside ours for their order and sign: unless the title says otherwise they are of other data "
    "(MNIST, CIFAR-10, ogbn-arxiv), in full, and of longer training.",
    "The graph network is W-asymmetric with GELU, as the paper defines it; the code released with it puts FiGLU in its place.",
    "All networks start from the same distribution of trainable weights, that of torch's layers. The paper's plain ResNets start "
    "from He's normal one, which is here the control `standard, initialized by He's normal`.",
    "What is frozen is drawn anew for every pair, so the intervals cover that draw too.",
    "A barrier counts as 0 within a margin that was stated before: the smaller of 0.05 nats and a tenth of the standard one.",
    "The slope of the barrier in the size of constants is that of the line of least squares through the barriers of one pair at "
    "0, 0.1, 0.3 and 1 times the size that the paper publishes, as far as they were measured.",
    "The exchange cost is the increase of the train loss when two neurons of the second hidden layer take each other's part and "
    "the rest is re-fitted linearly: 0 where they can be exchanged by a symmetry. It is measured for MLPs only.",
)


def summarize_lmc(rows: Sequence[Row]) -> Summary:
    """Return what rows of the study say: one part per architecture, width and data.

    Args:
        rows: Finished rows.
    """
    groups: dict[tuple[str, float, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.task["architecture"], row.task["width"], row.task["data"]), []).append(row)
    parts = tuple(_part(key, group) for key, group in groups.items())
    return Summary("lmc", "Linear mode connectivity", "test loss", parts, NOTES)


def _part(key: tuple[str, float, str], rows: list[Row]) -> Part:
    architecture, width, data = key
    found: dict[str, list[tuple[int, Record]]] = {}
    for row in rows:
        for record in row.records:
            found.setdefault(record["method"], []).append((row.task["pair"], record))
    paper = PAPER.get((architecture, width), {})
    order = [*(name for name in ORDER if name in found), *(name for name in found if name not in TITLES)]
    titles = {name: TITLES.get(name, name) for name in order}
    lines = tuple(_line(titles[method], method, found[method], paper) for method in order)
    title = f"{network_named(architecture).title}, width {width:g}, on {data}"
    claims = lmc_claims({method: _alive(records) for method, records in found.items()}, titles, paper)
    curves = tuple(_runs(titles[method], found[method]) for method in order if _alive(found[method]))
    return Part(title, tuple(name for name, _ in COLUMNS), lines, claims, curves, _note(rows[0].task, found))


def _alive(records: list[tuple[int, Record]]) -> dict[int, Record]:
    return {pair: record for pair, record in records if not record["diverged"]}


def _line(title: str, method: str, records: list[tuple[int, Record]], paper: dict[str, str]) -> Line:
    alive = list(_alive(records).values())
    cells = []
    for _, field in COLUMNS:
        values = [record[field] for record in alive if record.get(field) is not None]
        cells.append(Cell(mean_interval(values) if values else None, paper.get(method, "") if field == "barrier" else ""))
    return Line(title, len(alive), len(records) - len(alive), tuple(cells), control=method in CONTROLS)


def _runs(title: str, records: list[tuple[int, Record]]) -> Runs:
    alive = list(_alive(records).values())
    return Runs(title, tuple(alive[0]["t"]), tuple(tuple(record["loss"]) for record in alive))


def _note(task: dict[str, Any], found: dict[str, list[tuple[int, Record]]]) -> str:
    plan = task["plan"]
    counts = ", ".join(
        f"{TITLES[method]} {found[method][0][1]['trainable']:,}"
        for method in ORDER
        if method in found and "matching" not in method
    )
    size = "all" if task["train"] is None else f"{task['train']:,}"
    return (
        f"{plan['epochs']} epochs over {size} train examples, batch {plan['batch']}, {plan['optimizer']}, rate {plan['rate']:g},"
        f" decay {plan['decay']:g}, schedule {plan['schedule']}. Trainable parameters: {counts}. Means over pairs that share"
        " nothing, with 95 % intervals of Student's t; differences are those of the two methods in one pair."
    )
