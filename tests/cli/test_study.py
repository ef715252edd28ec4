"""`parasym study` and `parasym report` on a study that takes no time, and on bad input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from parasym.cli import study as command
from parasym.studies import STUDIES
from tests.needs import needs
from tests.report.test_page import outside_references
from tests.studies.toy import TOY

needs("sklearn")
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def with_a_toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "STUDIES", (*STUDIES, TOY))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)


def test_it_runs_goes_on_and_says_what_holds(run: Run, tmp_path: Path):
    first = run("study", "toy", "--out", "a")
    assert first.exit_code == 0, first.output
    for words in (
        "11.000 [8.516, 13.484]",
        "22.000 [17.032, 26.968]",
        "10 < 20",
        "holds",
        "Of 1 claims 1 hold, 0 do not hold",
        "A note.",
    ):
        assert words in first.output, words
    before = (tmp_path / "a/rows.jsonl").read_bytes()
    again = run("study", "toy", "--out", "a", "--json")
    assert (tmp_path / "a/rows.jsonl").read_bytes() == before
    data = json.loads(again.stdout)
    assert data["holds"] == "yes"
    assert data["parts"][0]["lines"][0] == {
        "name": "one",
        "n": 3,
        "diverged": 0,
        "control": False,
        "x": {"ours": [pytest.approx(11), pytest.approx(8.516, abs=1e-3), pytest.approx(13.484, abs=1e-3)], "paper": "11"},
    }


def test_a_claim_that_does_not_hold_is_said_and_becomes_the_exit_code(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a")
    path = tmp_path / "a/rows.jsonl"
    swapped = path.read_text().replace('"method": "one"', '"method": "?"').replace('"method": "two"', '"method": "one"')
    path.write_text(
        swapped.replace('"method": "?"', '"method": "two"')
    )  # a planted fault: the larger numbers are now those of one
    result = run("report", "a")
    assert result.exit_code == 1
    assert "does not hold" in result.output
    assert "does not hold" in (tmp_path / "a/results.md").read_text()


def test_too_few_to_tell_is_exit_code_two(run: Run):
    result = run("study", "toy", "-o", "a", "--set", "numbers=1")
    assert result.exit_code == 2
    assert "not settled" in result.output


def test_the_page_is_made_of_rows_alone_and_loads_nothing(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a")
    assert sorted(f.name for f in (tmp_path / "a").iterdir()) == ["rows.jsonl", "study.json"]
    result = run("report", "a")
    assert result.exit_code == 0, result.output
    assert sorted(f.name for f in (tmp_path / "a").iterdir()) == [
        "figure-0.svg",
        "forest.svg",
        "report.html",
        "results.md",
        "rows.jsonl",
        "study.json",
    ]
    html, markdown = (tmp_path / "a/report.html").read_text(), (tmp_path / "a/results.md").read_text()
    assert outside_references(html) == []
    for text in (html, markdown):
        for words in ("parasym study toy --preset tiny", "11.000 [8.516, 13.484]", "holds", "A caveat."):
            assert words in text, words
    assert "![Toy. x: one 11.000" in markdown
    assert "[![Toy study, all claims: forest plot of 1 claims, of which 1 hold" in markdown
    assert '<a id="part-0"></a>' in markdown
    assert 'xlink:href="results.md#part-0"' in (tmp_path / "a/forest.svg").read_text()
    assert 'xlink:href="#part-0"' in html
    assert '<section id="part-0">' in html
    lines = (tmp_path / "a/rows.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a/rows.jsonl").write_text("".join(lines[:4]))
    fewer = run("report", "a")
    assert "2 of 6 tasks are not done yet" in fewer.output
    assert "10.500" in (tmp_path / "a/results.md").read_text()


def test_several_studies_have_one_page_that_links_to_theirs(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a b")
    run("study", "toy", "-o", "c", "--set", "numbers=1")
    assert run("report", "a b", "c").exit_code == 2, "one holds, one is not settled"
    assert not (tmp_path / "all").exists()
    result = run("report", "a b", "c", "--out", "all")
    assert result.exit_code == 2, result.output
    assert sorted(f.name for f in (tmp_path / "all").iterdir()) == ["forest.svg", "report.html", "results.md"]
    html, markdown = (tmp_path / "all/report.html").read_text(), (tmp_path / "all/results.md").read_text()
    links = [target for target in outside_references(html) if not target.startswith("#")]
    assert set(links) == {"../a%20b/report.html#part-0", "../c/report.html#part-0"}
    assert 'xlink:href="../c/results.md#part-0"' in (tmp_path / "all/forest.svg").read_text()
    for words in ("1 hold, 0 do not hold, 1 not settled", "(../a%20b/results.md)", "`parasym report 'a b' c --out all`"):
        assert words in markdown, words
    data = json.loads(run("report", "a b", "c", "--json").stdout)
    assert [study["parts"][0]["claims"][0]["verdict"] for study in data["studies"]] == ["yes", "unsure"]


def test_a_page_over_several_replaces_none_of_theirs(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a")
    result = run("report", "a", "--out", "a")
    assert result.exit_code == 2
    assert "must be a folder of its own" in result.stderr
    assert not (tmp_path / "a/results.md").exists()


def test_a_list_runs_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lmc = run("study", "lmc", "--list", "--json")
    assert lmc.exit_code == 0
    assert [task["done"] for task in json.loads(lmc.stdout)["tasks"]] == [False] * 12
    assert list(tmp_path.iterdir()) == []
    shown = run("study", "mli", "--preset", "small", "--list").output
    assert "150 tasks, 150 to do" in shown
    assert "small-mlp" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("study", "lcm"), "Study `lcm` is unknown. Known are lmc, mli"),
        (("study", "lmc", "--preset", "huge"), "Known are tiny, small, paper"),
        (("study", "lmc", "--set", "pair=3"), "Key `pair` is unknown. Known are architecture, data, matched_loss, only, pairs"),
        (("study", "lmc", "--set", "pairs=0"), "needs at least one pair"),
        (("study", "lmc", "--data", "cifar=x"), "must be NAME=PATH with a name of digits, mnist5k"),
        (("study", "lmc", "--set", "data=cifar10"), "needs a path"),
        (
            ("study", "lmc", "--preset", "small"),
            "--data cifar10=FOLDER. To go without it: --set only=graph/blocks,mlp/digits,mlp/mnist5k,resnet20/digits.",
        ),
        (("study", "lmc", "--set", "data=cifar10", "--data", "cifar10=nowhere"), "folder `nowhere` does not exist"),
        (("study", "lmc", "--set", "data=blocks", "--set", "train=10", "--set", "test=10"), "takes images, but data `blocks`"),
        (("study", "lmc", "--set", "train=100000"), "has 1438 train images, but 100000 are wanted"),
        (("study", "lmc", "--device", "tpu"), "Device `tpu` is not there"),
        (("report", "nowhere"), "holds no study"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(run: Run, arguments: tuple[str, ...], message: str):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split()), result.output
    assert "Traceback" not in result.output


def test_another_list_of_tasks_is_refused(run: Run):
    run("study", "toy", "-o", "a")
    result = run("study", "toy", "-o", "a", "--set", "numbers=2")
    assert result.exit_code == 2
    assert "was begun with another list of tasks: 2 of its 6 tasks are gone" in " ".join(result.output.split())


def test_a_folder_without_rows_has_no_report(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a")
    (tmp_path / "a/rows.jsonl").unlink()
    result = run("report", "a")
    assert result.exit_code == 2
    assert "has no rows yet" in result.output


def test_damaged_rows_are_named_left_out_and_set_aside(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a")
    path = tmp_path / "a/rows.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join((*lines[:2], lines[2][:40] + "\x1b[31m|\n", *lines[3:])))
    shown = run("report", "a")
    assert shown.exit_code == 2, "two pairs settle nothing"
    assert "note: Line 3 of `a/rows.jsonl` is damaged" in shown.stderr
    assert "1 of 6 tasks are not done yet" in shown.output
    listed = run("study", "toy", "-o", "a", "--list", "--json")
    assert [task["done"] for task in json.loads(listed.stdout)["tasks"]].count(True) == 5
    refused = run("study", "toy", "-o", "a")
    assert refused.exit_code == 2
    assert "Line 3 of `a/rows.jsonl`" in refused.stderr
    assert "--repair" in refused.stderr
    repaired = run("study", "toy", "-o", "a", "--repair")
    assert repaired.exit_code == 0, repaired.output
    assert "set aside into a/rows.damaged.jsonl: Line 3" in repaired.stderr
    assert len(path.read_text().splitlines()) == 6
    again = run("report", "a", "--repair")
    assert again.exit_code == 0, again.output
    assert "nothing to repair" in again.stderr
    assert "\x1b" not in "".join(r.output for r in (shown, listed, refused, repaired, again))


def test_rows_that_lack_what_is_measured_are_one_line(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a")
    path = tmp_path / "a/rows.jsonl"
    path.write_text(path.read_text().replace('"x": ', '"y": '))
    result = run("report", "a")
    assert result.exit_code == 2
    assert "The rows lack what study `toy` measures (KeyError: 'x')" in " ".join(result.stderr.split())


def test_foreign_text_in_rows_is_text_in_markdown_and_html(run: Run, tmp_path: Path):
    run("study", "toy", "-o", "a")
    path = tmp_path / "a/rows.jsonl"
    hostile = "<img src=x>|[a](http://b)`\x1b[31m"
    changed = [
        {**json.loads(line), "device": hostile, "commit": "<b>", "versions": {"<i>": "|"}}
        for line in path.read_text().splitlines()
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in changed))
    assert run("report", "a").exit_code == 0
    for name in ("report.html", "results.md"):
        text = (tmp_path / "a" / name).read_text()
        for part in ("<img src=x", "<b>", "<i>", "\x1b"):
            assert part not in text, (name, part)
    assert "](http" not in (tmp_path / "a/results.md").read_text()
