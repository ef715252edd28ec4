"""Graphs with labelled nodes: a generated stochastic block model, or a data set of PyG."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parasym.core import BadInputError, child_generator

FEATURES, BLOCKS, NODES = 32, 8, 800
INSIDE, ACROSS, SIGNAL = 0.03, 0.006, 0.35
"""An edge within a block, one between two, and the length of a block's mean feature in deviations: hard enough that neither
features nor edges are enough alone."""


@dataclass(frozen=True, eq=False)
class NodeLabels:
    """One graph whose nodes are to be classified.

    Attributes:
        name: Name of the source.
        x: Features of the nodes, ``[nodes, features]``.
        edges: Source and target of every edge, ``[2, edges]``; both directions are listed.
        labels: Classes, ``[nodes]``.
        train: Indices of the train nodes.
        test: Indices of the test nodes.
        classes: Number of classes.
    """

    name: str
    x: Tensor
    edges: Tensor
    labels: Tensor
    train: Tensor
    test: Tensor
    classes: int

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all tensors."""
        digest = hashlib.sha256()
        for part in (self.x, self.edges, self.labels, self.train, self.test):
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()


def block_model(
    path: Path | None = None,
    *,
    train: int | None = None,
    test: int | None = None,
    seed: int = 0,
    nodes: int = NODES,
    blocks: int = BLOCKS,
    features: int = FEATURES,
) -> NodeLabels:
    r"""Return a graph drawn from a stochastic block model with Gaussian features.

    Nodes belong to blocks of equal size; two nodes are joined with probability 0.03 within a block and 0.006 across. Features are
    :math:`\mu_b + \varepsilon` with :math:`\varepsilon \sim N(0, I)` and :math:`\mu_b \sim N(0, 0.35^2 I)`.

    Args:
        path: Must be ``None``: the graph is generated.
        train: How many train nodes; half of all if ``None``.
        test: How many test nodes; the other half if ``None``.
        seed: Seed of the graph.
        nodes: How many nodes.
        blocks: How many blocks, which are the classes.
        features: How many features.

    Raises:
        BadInputError: If a path is given, or more nodes are wanted than there are.

    Example:
        >>> graph = block_model(nodes=80)
        >>> tuple(graph.x.shape), graph.edges.shape[0], torch.equal(graph.edges.flip(0).unique(dim=1), graph.edges)
        ((80, 32), 2, True)

    References:
        Holland, Laskey, Leinhardt. Stochastic blockmodels. Social Networks 1983.
    """
    if path is not None:
        raise BadInputError(f"Data `blocks` is generated and takes no path, but got `{path}`.")
    generator = child_generator(seed, "block model")
    labels = torch.arange(nodes) % blocks
    same = labels[:, None] == labels
    chance = torch.where(same, INSIDE, ACROSS)
    drawn = torch.rand(nodes, nodes, generator=generator).lt(chance).triu(1)
    edges = (drawn | drawn.T).nonzero().T.contiguous()
    centers = SIGNAL * torch.randn(blocks, features, generator=generator)
    x = centers[labels] + torch.randn(nodes, features, generator=generator)
    return split_nodes("blocks", x, edges, labels, train, test, seed)


def karate(path: Path | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0) -> NodeLabels:
    """Return Zachary's karate club, which PyG ships: 34 nodes in 4 communities.

    Args:
        path: Must be ``None``.
        train: How many train nodes; half of all if ``None``.
        test: How many test nodes; the other half if ``None``.
        seed: Seed of the split.

    Raises:
        BadInputError: If a path is given or PyG is missing.
    """
    if path is not None:
        raise BadInputError(f"Data `karate` comes with PyG and takes no path, but got `{path}`.")
    data = _datasets().KarateClub()[0]
    return split_nodes("karate", data.x, data.edge_index, data.y, train, test, seed)


def split_nodes(
    name: str, x: Tensor, edges: Tensor, labels: Tensor, train: int | None, test: int | None, seed: int
) -> NodeLabels:
    """Return a graph with its nodes split by a seed.

    Args:
        name: Of the source.
        x: Features.
        edges: Source and target of every edge.
        labels: Classes.
        train: How many train nodes; half of all if ``None``.
        test: How many test nodes; the other half if ``None``.
        seed: Of the split.

    Raises:
        BadInputError: If there are fewer nodes.
    """
    count = len(labels)
    train = count // 2 if train is None else train
    test = count - train if test is None else test
    if train < 1 or test < 1 or train + test > count:
        raise BadInputError(f"Data `{name}` has {count} nodes, but {train} train and {test} test nodes are wanted.")
    order = torch.randperm(count, generator=child_generator(seed, f"{name} split"))
    return NodeLabels(name, x, edges, labels, order[:train], order[train : train + test], int(labels.max()) + 1)


def _datasets() -> Any:
    try:
        from torch_geometric import datasets
    except ImportError as error:
        raise BadInputError("This data needs PyG, which is not installed. Run `pip install torch_geometric`.") from error
    return datasets
