"""The networks of the paper on asymmetric networks, and how each is broken, in one table."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from parasym.breaking import SigmaAsymmetric, WAsymmetric, break_, preset
from parasym.core import BadInputError
from parasym.data import Images, NodeLabels
from parasym.population import Chain, RandomCrop, RandomFlip
from parasym.studies.own_network import build_own, is_own, own_title
from parasym.zoo.paper import GraphNet, NormedMLP, resnet8, resnet20

Data = Images | NodeLabels


class OnGraph(nn.Module):
    """A graph network as a function of nodes: it sees the whole graph and returns the outputs of the nodes that are asked for.

    So a graph can be trained, matched and interpolated like any data set, its nodes being the examples; a batch of all
    train nodes is a full batch.

    Args:
        net: A network of features and edges.
        graph: The graph, which becomes part of the architecture.
    """

    x: Tensor
    edges: Tensor

    def __init__(self, net: nn.Module, graph: NodeLabels) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("x", graph.x)
        self.register_buffer("edges", graph.edges)

    def forward(self, nodes: Tensor) -> Tensor:
        """Return the outputs at nodes.

        Args:
            nodes: Their indices, of shape ``[n]``.
        """
        return self.net(self.x, self.edges)[nodes]


@dataclass(frozen=True)
class PaperNetwork:
    """A network of the paper.

    Attributes:
        name: Short name.
        title: Name for people.
        build: Makes it for data, at a multiple of the paper's width.
        exact: Names of the paper's own tables of frozen entries, by width.
        fractions: Frozen entries as parts of the fan-in, for any other width.
        std: Standard deviations of the frozen entries, for any other width.
        sigma: Standard deviation of the fixed matrix of FiGLU, at a multiple of the width; ``None`` is ``1/sqrt(d)``.
        unit: Whether single entries are frozen or whole filters.
        graph: Whether it takes a graph.
        augment: Whether the paper augments its images, by random crops and flips.
        own: Whether it is the user's: its weights are told by its graph, and it may hold what vmap cannot do.
    """

    name: str
    title: str
    build: Callable[[Data, float], nn.Module]
    exact: dict[float, str]
    fractions: float | dict[str, float]
    std: float | dict[str, float]
    sigma: Callable[[float], float | None]
    unit: str = "entry"
    graph: bool = False
    augment: bool = False
    own: bool = False

    def w(self, model: nn.Module, data: Data, width: float, *, seed: int, scale: float = 1.0) -> nn.Module:
        """Return the W-asymmetric network: by the paper's table where it fits, by the same parts of the fan-in where not.

        Args:
            model: The plain network.
            data: What it is for.
            width: Multiple of the paper's width.
            seed: Of what is frozen: the same places at every scale, and the same constants up to it.
            scale: Size of the constants as a multiple of the paper's; 0 for the theorem's own case.

        Raises:
            BadInputError: If a layer that is frozen as a whole would be zero.
        """
        if width in self.exact and self._has_the_papers_inputs(data):
            method = preset(self.exact[width], seed=seed)
        else:
            method = WAsymmetric(frozen=self.fractions, std=self.std, unit=self.unit, seed=seed)  # pyright: ignore[reportArgumentType]
        return break_(model, replace(method, std=_scaled(method.std, scale)), _inputs(data) if self.own else None).model

    def sigma_asymmetric(self, model: nn.Module, data: Data, width: float, *, seed: int) -> nn.Module:
        """Return the network with FiGLU in place of its activations.

        Args:
            model: The plain network.
            data: What it is for.
            width: Multiple of the paper's width.
            seed: Of the fixed matrices.
        """
        return break_(model, SigmaAsymmetric(std=self.sigma(width), seed=seed), _inputs(data)).model

    def on(self, model: nn.Module, data: Data) -> nn.Module:
        """Return the network as a function of examples.

        Args:
            model: The network.
            data: What it is for.
        """
        return OnGraph(model, data) if isinstance(data, NodeLabels) else model

    def _has_the_papers_inputs(self, data: Data) -> bool:
        if isinstance(data, NodeLabels):
            return True
        return data.train_images[0].numel() == 784 if self.name == "mlp" else data.train_images.shape[1] == 3


def _inputs(data: Data) -> tuple[Tensor, ...]:
    return (data.x, data.edges) if isinstance(data, NodeLabels) else (data.train_images[:2],)


def _scaled(std: float | Mapping[str, float], scale: float) -> float | dict[str, float]:
    return {name: scale * x for name, x in std.items()} if isinstance(std, Mapping) else scale * std


def examples(data: Data) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return train inputs and labels, test inputs and labels; the inputs of a graph are the indices of its nodes.

    Args:
        data: Images or a graph.
    """
    if isinstance(data, NodeLabels):
        return data.train, data.labels[data.train], data.test, data.labels[data.test]
    return data.train_images, data.train_labels, data.test_images, data.test_labels


def augmentation(network: PaperNetwork, data: Data) -> Chain | None:
    """Return random crops and flips, decided for every image, where the paper has them; digits are not to be mirrored.

    Args:
        network: The network.
        data: What it is trained on.
    """
    if network.augment and isinstance(data, Images) and data.name == "cifar10":
        return Chain((RandomCrop(padding=4), RandomFlip()))
    return None


def _images(data: Data, name: str) -> Images:
    if not isinstance(data, Images):
        raise BadInputError(
            f"Network `{name}` takes images, but data `{data.name}` is a graph. Use digits, mnist5k, fashion, cifar10."
        )
    return data


def _mlp(data: Data, width: float) -> nn.Module:
    images = _images(data, "mlp")
    return NormedMLP(round(512 * width), images.classes, images.train_images[0].numel())


def _small_mlp(data: Data, width: float) -> nn.Module:
    images = _images(data, "small-mlp")
    return NormedMLP(round(32 * width), images.classes, images.train_images[0].numel(), hidden=2)


def _resnet(build: Callable[..., nn.Module], name: str) -> Callable[[Data, float], nn.Module]:
    def made(data: Data, width: float) -> nn.Module:
        images = _images(data, name)
        return build(width, images.classes, images.train_images.shape[1])

    return made


def _graph(data: Data, width: float) -> nn.Module:
    if not isinstance(data, NodeLabels):
        raise BadInputError(f"Network `graph` takes a graph, but data `{data.name}` is images. Use blocks, karate, planetoid.")
    return GraphNet(round(256 * width), data.classes, data.x.shape[1])


def _own(name: str, _data: Data, width: float) -> nn.Module:
    return build_own(name, width)


def _constant(value: float | None) -> Callable[[float], float | None]:
    return lambda _: value


_STAGES = {
    "stem": 12 / 27,
    "*.1.0.skip": 6 / 16,
    "*.2.0.skip": 8 / 32,
    "stages.0.*": 0.25,
    "stages.1.*": 0.1875,
    "stages.2.*": 0.125,
}

NETWORKS: tuple[PaperNetwork, ...] = (
    PaperNetwork(
        "mlp",
        "MLP with LayerNorm and GELU",
        _mlp,
        {1: "mlp"},
        {"linears.0": 64 / 784, "linears.3": 0.5, "linears.*": 0.125},
        {"linears.3": 0.25, "linears.2": 0.5, "linears.*": 1.0},
        _constant(1.0),
    ),
    # Not in the paper: the smallest network in which its questions can be asked, for hundreds at once on two processors.
    PaperNetwork(
        "small-mlp", "MLP of two hidden layers of 32", _small_mlp, {}, {"*": 0.25}, {"linears.2": 0.5, "*": 1.0}, _constant(None)
    ),
    PaperNetwork(
        "resnet20",
        "ResNet20 with GroupNorm",
        _resnet(resnet20, "resnet20"),
        {1: "resnet20", 8: "resnet20x8"},
        {**_STAGES, "head": 0.125},
        2.0,
        _constant(None),
        augment=True,
    ),
    PaperNetwork(
        "resnet8",
        "ResNet8 with GroupNorm",
        _resnet(resnet8, "resnet8"),
        {1: "resnet8"},
        {"stem": 12 / 27, "stages.0.*": 0.5, "stages.1.*": 0.5, "stages.2.*": 0.25, "head": 0.125},
        2.0,
        _constant(None),
        augment=True,
    ),
    PaperNetwork(
        "graph",
        "graph network with BatchNorm and GELU",
        _graph,
        {1: "graph"},
        {"linears.0": 6 / 128, "*": 6 / 256},
        0.5,
        lambda width: 0.01 / math.sqrt(256 * width),
        graph=True,
    ),
)


def network_named(name: str) -> PaperNetwork:
    """Return the network of a name.

    Args:
        name: Short name, or that of a network of the user's, whose file is not read before it is built.

    Raises:
        BadInputError: If it is unknown.
    """
    if is_own(name):
        default = WAsymmetric()
        build = partial(_own, name)
        return PaperNetwork(name, own_title(name), build, {}, default.frozen, default.std, _constant(None), own=True)  # pyright: ignore[reportArgumentType]
    for network in NETWORKS:
        if network.name == name:
            return network
    raise BadInputError(f"Network `{name}` is unknown. Known are {', '.join(network.name for network in NETWORKS)}.")


def to_device(data: Data, device: str) -> Data:
    """Return the data on a device.

    Args:
        data: Images or a graph.
        device: Where to.
    """
    return replace(data, **{k: v.to(device) for k, v in vars(data).items() if isinstance(v, Tensor)})
