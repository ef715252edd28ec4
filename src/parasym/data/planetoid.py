"""The citation graphs of Planetoid from their files, which are pickles and are read as data."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.checkpoint.read import read_file
from parasym.checkpoint.schema import describe
from parasym.core import BadInputError
from parasym.data.graph import NodeLabels, split_nodes

PARTS = ("allx", "tx", "ally", "ty", "graph")
"""Features and one-hot labels of all nodes but the test ones, those of the test nodes, and neighbors by node."""


def planetoid(path: Path | None, *, train: int | None = None, test: int | None = None, seed: int = 0) -> NodeLabels:
    """Return a citation graph from a folder of PyG's ``Planetoid`` or of its authors; nothing is downloaded, no code is run.

    Read are ``raw/ind.NAME.*`` or, where there are none, ``processed/data.pt`` as PyG writes it since version 2.4. The test nodes
    are in the order of their numbers, those that a file leaves out (as CiteSeer's does) have no features and the first label.

    Args:
        path: The folder of one graph, as in ``planetoid/Cora``, with ``raw`` or ``processed`` below, or the raw folder itself.
        train: How many train nodes, of a split of our own; half of all if ``None``.
        test: How many test nodes; the other half if ``None``.
        seed: Seed of the split.

    Raises:
        BadInputError: If the folder does not exist or is empty, or its files do not fit each other.
        CheckpointError: If a file is damaged, or was made to run code.

    References:
        Yang, Cohen, Salakhutdinov. Revisiting semi-supervised learning with graph embeddings. ICML 2016,
        https://arxiv.org/abs/1603.08861
    """
    path = None if path is None else Path(path)
    raw = None if path is None else next((folder for folder in (path / "raw", path) if _indices(folder)), None)
    done = None if path is None else path / "processed" / "data.pt"
    if raw is None and (done is None or not done.is_file()):
        raise BadInputError(
            f"Data `planetoid` needs the folder of a graph with `raw/ind.NAME.*` or `processed/data.pt` below, but got `{path}`."
        )
    x, edges, labels = _raw(raw) if raw is not None else _processed(done)
    return split_nodes("planetoid", x, edges, labels, train, test, seed)


def _indices(folder: Path) -> list[Path]:
    return sorted(folder.glob("ind.*.test.index"))


def _raw(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    found = _indices(folder)
    if len(found) > 1:
        raise BadInputError(f"Data `planetoid`: `{folder}` holds {len(found)} graphs. Give the folder of one.")
    start = found[0].name.removesuffix("test.index")
    parts = {part: read_file(folder / f"{start}{part}", "Data").content for part in PARTS}
    try:
        places = np.array([int(line) for line in found[0].read_text().split()])
        x = _placed(_dense(parts["allx"], "allx"), _dense(parts["tx"], "tx"), places)
        labels = _placed(_dense(parts["ally"], "ally"), _dense(parts["ty"], "ty"), places).argmax(1)
        edges = _edges(parts["graph"])
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise BadInputError(f"Data `planetoid`: the files of `{folder}` do not fit each other: {error}.") from error
    if edges.numel() and int(edges.max()) >= len(x):
        raise BadInputError(f"Data `planetoid`: an edge of `{folder}` leads to node {int(edges.max())} of {len(x)}.")
    return x, edges, labels


def _placed(others: Tensor, last: Tensor, places: np.ndarray) -> Tensor:
    """Return rows of all nodes: the test ones come in a drawn order, at the end, and some may be missing."""
    if len(last) != len(places) or not len(places) or places.min() != len(others):
        raise ValueError(f"{len(last)} test nodes behind {len(others)} others have the numbers from {places.min(initial=0)} on")
    rows = others.new_zeros(int(places.max()) + 1, others.shape[1])
    rows[: len(others)] = others
    rows[torch.from_numpy(places)] = last
    return rows


def _edges(neighbors: Any) -> Tensor:
    if not isinstance(neighbors, dict):
        raise TypeError("`graph` is no dictionary of neighbors")
    pairs = [(int(a), int(b)) for a, group in neighbors.items() for b in group]
    if min((min(pair) for pair in pairs), default=0) < 0:
        raise ValueError("a node has a negative number")
    both = {*pairs, *((b, a) for a, b in pairs)}
    return torch.tensor(sorted(both), dtype=torch.int64).reshape(-1, 2).T.contiguous()


def _dense(value: Any, name: str) -> Tensor:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if not isinstance(value, Tensor) or value.ndim != 2:
        raise TypeError(f"`{name}` is no matrix, but a {describe(value)}")
    return value.to_dense().float()


def _processed(path: Path | None) -> tuple[Tensor, Tensor, Tensor]:
    assert path is not None
    content = read_file(path, "Data").content
    data = content[0] if isinstance(content, tuple) and content else content
    x, edges, labels = (data.get(name) if isinstance(data, dict) else None for name in ("x", "edge_index", "y"))
    if not isinstance(x, Tensor) or not isinstance(edges, Tensor) or not isinstance(labels, Tensor):
        raise BadInputError(
            f"Data `{path}` must hold the tensors `x`, `edge_index` and `y` by name, as PyG writes them since version 2.4, but "
            "holds objects of other classes, which are left unbuilt. Put `raw` beside it."
        )
    return x.float(), edges, labels
