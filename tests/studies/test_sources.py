"""The hash of sources changes with every file that a measurement needs, and with no other."""

import shutil
from pathlib import Path

import pytest

from parasym.studies import STUDIES, Study, sources
from parasym.studies.sources import PACKAGE, files_of, sources_of


def names(study: Study) -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in files_of(study.run)}


def by_name(name: str) -> Study:
    return next(study for study in STUDIES if study.name == name)


def test_files_that_decide_numbers_are_there_and_those_that_read_rows_are_not():
    lmc = names(by_name("lmc"))
    assert {"studies/lmc.py", "studies/lmc_measure.py", "studies/variant.py", "population/update.py"} <= lmc
    assert {"orbit/weight.py", "breaking/drawing.py", "core/seed.py"} <= lmc
    assert "circuits/transfer.py" in names(by_name("symh"))
    for study in STUDIES:
        found = names(study)
        assert not {name for name in found if name.startswith(("cli/", "report/")) or "summary" in name}
        assert not found & {"studies/claim.py", "studies/interval.py", "studies/harness.py"}
    assert "hopping/hop.py" not in lmc


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own: what is changed there changes no other."""
    package = tmp_path / "parasym"
    for name, text in {
        "studies/one.py": "from parasym.inner import thing\nfrom parasym.studies import one_summary\nrun = thing",
        "studies/one_summary.py": "",
        "studies/sources.py": "",
        "inner/__init__.py": "from parasym.inner.a import thing\nfrom parasym.inner.b import other",
        "inner/a.py": "def thing():\n    import parasym.inner.c\n",
        "inner/b.py": "other = 1",
        "inner/c.py": "",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr(sources, "PACKAGE", package)
    monkeypatch.setattr(sources, "__file__", str(package / "studies" / "sources.py"))
    monkeypatch.setattr(sources.inspect, "getfile", lambda _: str(package / "studies" / "one.py"))
    return package


def fresh() -> str:
    sources._imports.cache_clear()
    sources_of.cache_clear()
    return sources_of(fresh)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("studies/one.py", True),
        ("inner/a.py", True),
        ("inner/c.py", True),
        ("inner/b.py", False),
        ("studies/one_summary.py", False),
    ],
)
def test_a_change_is_seen_where_it_can_matter(copied: Path, name: str, counts: bool):
    before = fresh()
    assert fresh() == before
    (copied / name).write_text((copied / name).read_text() + "\nx = 1\n")
    assert (fresh() != before) == counts
    shutil.rmtree(copied)
    sources._imports.cache_clear()
    sources_of.cache_clear()
