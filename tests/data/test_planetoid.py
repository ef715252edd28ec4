"""Citation graphs in the files of their authors, which Python 2 pickled: read as data, in the right order, and nothing is run."""

import collections
import os
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from parasym.core import BadInputError, SymmetryError
from parasym.data import load, planetoid
from tests.needs import needs

MARKER = "made-by-the-file"
OTHERS = np.array([[0, 1, 0], [2, 0, 0], [0, 0, 3], [4, 0, 4]], dtype=np.float32)
LAST = np.array([[7, 0, 0], [5, 0, 5], [0, 6, 0]], dtype=np.float32)
PLACES = [7, 4, 5]
NEIGHBORS = {0: [1, 4], 1: [0, 0, 5], 2: [2], 4: [0], 7: [3]}


Pickler: Any = pickle._Pickler  # pyright: ignore[reportAttributeAccessIssue]


class Old(Pickler):
    """Writes bytes as Python 2 wrote its texts."""

    dispatch: ClassVar = dict(Pickler.dispatch)

    def save_bytes(self, obj: bytes) -> None:
        self.write(b"T" + struct.pack("<i", len(obj)) + obj)
        self.memoize(obj)

    dispatch[bytes] = save_bytes


class Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (MARKER,)


def put(path: Path, value: Any, protocol: int = 2) -> None:
    with path.open("wb") as file:
        (Old if protocol == 2 else Pickler)(file, protocol=protocol).dump(value)
    path.write_bytes(path.read_bytes().replace(b"cscipy.sparse._csr\n", b"cscipy.sparse.csr\n"))


def graph(folder: Path, protocol: int = 2, **changed: Any) -> Path:
    """A graph of eight nodes, of which the seventh is in no file, as in CiteSeer."""
    sparse = needs("scipy.sparse")
    raw = folder / "Toy" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    parts = {
        "allx": sparse.csr_matrix(OTHERS),
        "tx": sparse.csr_matrix(LAST),
        "ally": np.eye(2, dtype=np.int32)[[0, 1, 1, 0]],
        "ty": np.eye(2, dtype=np.int32)[[1, 0, 1]],
        "graph": collections.defaultdict(list, NEIGHBORS),
        **changed,
    }
    for part, value in parts.items():
        put(raw / f"ind.toy.{part}", value, protocol)
    (raw / "ind.toy.test.index").write_text("".join(f"{k}\n" for k in PLACES))
    return folder / "Toy"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_every_node_has_its_features(tmp_path: Path, protocol: int) -> None:
    found: Any = load("planetoid", graph(tmp_path, protocol), train=5, test=3)
    rows = [*OTHERS.tolist(), LAST[1].tolist(), LAST[2].tolist(), [0, 0, 0], LAST[0].tolist()]
    assert found.x.tolist() == rows
    assert found.labels.tolist() == [0, 1, 1, 0, 0, 1, 0, 1]
    pairs = {(0, 1), (0, 4), (1, 5), (2, 2), (3, 7)}
    assert sorted(map(tuple, found.edges.T.tolist())) == sorted(pairs | {(b, a) for a, b in pairs})
    assert sorted([*found.train.tolist(), *found.test.tolist()]) == list(range(8))


def test_pyg_reads_the_same(tmp_path: Path) -> None:
    datasets = needs("torch_geometric.datasets")
    folder = graph(tmp_path, 2)
    for name in ("x", "y"):
        put(folder / "raw" / f"ind.toy.{name}", np.zeros((1, 1)))
    theirs = datasets.Planetoid(str(tmp_path), "Toy")[0]
    ours = planetoid(folder)
    assert torch.equal(ours.edges, theirs.edge_index)
    known = [0, 1, 2, 3, 4, 5, 7]
    assert torch.equal(ours.x[known], theirs.x[known])
    assert torch.equal(ours.labels[known], theirs.y[known])


def test_what_pyg_made_of_them(tmp_path: Path) -> None:
    (tmp_path / "processed").mkdir()
    data = {"x": torch.ones(4, 2), "edge_index": torch.tensor([[0, 1], [1, 0]]), "y": torch.tensor([0, 1, 0, 1])}
    torch.save((data, None, Runs), tmp_path / "processed" / "data.pt")
    assert planetoid(tmp_path).edges.tolist() == [[0, 1], [1, 0]]
    torch.save((Runs, None), tmp_path / "processed" / "data.pt")
    with pytest.raises(BadInputError, match=r"as PyG writes them since version 2\.4"):
        planetoid(tmp_path)


@pytest.mark.parametrize("part", ["allx", "tx", "ally", "ty", "graph"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_file_runs_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    folder = graph(tmp_path)
    path = folder / "raw" / f"ind.toy.{part}"
    path.write_bytes(pickle.dumps(Runs(), protocol=protocol))
    with pytest.raises(SymmetryError, match=r"pickled code \(posix.mkdir\)"):
        planetoid(folder)
    assert not Path(MARKER).exists()
    pickle.loads(path.read_bytes())  # what a careless reader does
    assert Path(MARKER).exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ty": np.eye(2, dtype=np.int32)}, "2 test nodes"),
        ({"graph": [1]}, "no dictionary of neighbors"),
        ({"graph": {0: [99]}}, "leads to node 99 of 8"),
        ({"graph": {0: [-1]}}, "negative number"),
        ({"graph": {"a": ["b"]}}, "do not fit each other"),
        ({"tx": [1]}, "`tx` is no matrix, but a list"),
        ({"allx": np.zeros(4)}, "`allx` is no matrix"),
    ],
)
def test_files_that_do_not_fit_are_one_line(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        planetoid(graph(tmp_path, **changed))


def test_damaged_and_missing_files_are_one_line(tmp_path: Path) -> None:
    folder = graph(tmp_path)
    (folder / "raw" / "ind.toy.allx").write_bytes((folder / "raw" / "ind.toy.allx").read_bytes()[:90])
    with pytest.raises(SymmetryError, match="cannot be read"):
        planetoid(folder)
    (folder / "raw" / "ind.toy.allx").unlink()
    with pytest.raises(SymmetryError, match="does not exist"):
        planetoid(folder)
    (folder / "raw" / "ind.other.test.index").write_text("1")
    with pytest.raises(BadInputError, match="holds 2 graphs"):
        planetoid(folder)
    with pytest.raises(BadInputError, match="needs the folder of a graph"):
        planetoid(tmp_path)
