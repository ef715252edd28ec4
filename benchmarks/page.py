"""The tables of ``docs/benchmarks.md``, written from the kept rows: ``python -m benchmarks.page docs/benchmarks.md``."""

import json
import sys
from pathlib import Path

from benchmarks._table import BENCHMARKS

RESULTS = Path(__file__).parent / "results"
HEAD = ("case", "contender", "quantity", "n", "min", "median", "max", "ratio", "note")
START, END = "<!-- rows: {} -->", "<!-- end -->"


def table(lines: list[str]) -> str:
    """Return a Markdown table of rows of JSON, after the command that made them."""
    rows = [json.loads(line) for line in lines]
    commands = dict.fromkeys(f"`{row['command']}`" for row in rows)
    around = dict.fromkeys(f"Python {row['python']}, torch {row['torch']}, {row['threads']} thread" for row in rows)
    loads = [row["load"] for row in rows]
    out = [f"{'; '.join(commands)}. {'; '.join(around)}; load of the machine {min(loads)} to {max(loads)}.", ""]
    out += ["| " + " | ".join(HEAD) + " |", "| --- | --- | --- |" + " ---: |" * 5 + " --- |"]
    out += ["| " + " | ".join(_cell(row.get(key, "")) for key in HEAD) + " |" for row in rows]
    return "\n".join(out)


def filled(page: str, results: Path = RESULTS) -> str:
    """Return the page with every block between its marks replaced by the kept rows."""
    for benchmark in BENCHMARKS:
        path = results / f"{benchmark.name}.jsonl"
        start = START.format(benchmark.name)
        if path.exists() and start in page:
            before, _, rest = page.partition(start)
            after = rest.partition(END)[2]
            page = f"{before}{start}\n\n{table(path.read_text().splitlines())}\n\n{END}{after}"
    return page


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(filled(target.read_text()))
