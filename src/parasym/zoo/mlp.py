"""Multilayer perceptrons: the activation decides the group."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import factorial

import torch
from torch import Tensor, nn

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class Sine(nn.Module):
    """The sine, element by element."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.sin(x)


class ResidualMLP(nn.Module):
    """Linear, then a residual step, then Linear; ``stream`` acts on everything added to the stream."""

    def __init__(self, stream: Callable[[], nn.Module], width: int = 4) -> None:
        super().__init__()
        self.enter, self.act, self.leave = nn.Linear(6, width), stream(), nn.Linear(width, 4)
        self.up, self.down = nn.Linear(width, 5), nn.Linear(5, width)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = self.act(self.enter(x))
        return self.leave(h + self.act(self.down(torch.relu(self.up(h)))))


class SharedLayer(nn.Module):
    """One square layer used twice."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.enter, self.shared, self.leave = nn.Linear(4, 5, bias), nn.Linear(5, 5, bias), nn.Linear(5, 3, bias)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.leave(torch.relu(self.shared(torch.relu(self.shared(torch.relu(self.enter(x)))))))


class TwoInputsTwoOutputs(nn.Module):
    """Two inputs meet in a tanh layer that feeds two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 5), nn.Linear(3, 5)
        self.first, self.hidden, self.second = nn.Linear(5, 2), nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        h = torch.tanh(self.left(x) + self.right(y))
        return self.first(h), self.second(torch.relu(self.hidden(h)))


def mlp(widths: tuple[int, ...], activation: Callable[[], nn.Module]) -> nn.Sequential:
    """Return Linear layers of the given widths with an activation between them.

    Args:
        widths: Widths, input first.
        activation: Builds one activation.
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


def _plain(
    name: str, activation: Callable[[], nn.Module], expected: tuple[str, ...], order: int, dimension: int, note: str
) -> Entry:
    return Entry(name, partial(mlp, (4, 5, 3), activation), normal((8, 4)), expected, order, dimension, note)


_HOMOGENEOUS = "sigma(cz) = c sigma(z) for c > 0: each of the 5 units may be rescaled; units may be exchanged."
_ODD = "sigma(-z) = -sigma(z): each of the 5 units may change its sign; units may be exchanged. 5! 2^5 = 3840."
_OTHER = "Element-wise, neither homogeneous nor odd: units may be exchanged, 5! = 120."

MLP = (
    _plain("mlp_relu", nn.ReLU, ("S(5)", "scale(5)"), 120, 5, _HOMOGENEOUS),
    _plain("mlp_leaky_relu", nn.LeakyReLU, ("S(5)", "scale(5)"), 120, 5, _HOMOGENEOUS),
    _plain(
        "mlp_prelu",
        partial(nn.PReLU, 5),
        ("S(5)", "scale(5)"),
        120,
        5,
        _HOMOGENEOUS + " The slopes are exchanged with the units and do not scale. The flip z -> -z with a -> 1/a"
        " and W2 -> -a W2 depends on the parameters and is not an action on a wire.",
    ),
    _plain("mlp_prelu_shared", nn.PReLU, ("S(5)", "scale(5)"), 120, 5, _HOMOGENEOUS + " One slope for all units stays."),
    _plain("mlp_tanh", nn.Tanh, ("S(5)", "signs(5)"), 3840, 0, _ODD),
    _plain("mlp_sin", Sine, ("S(5)", "signs(5)"), 3840, 0, _ODD + " (Biases may also move by multiples of pi: a lattice.)"),
    _plain("mlp_gelu", nn.GELU, ("S(5)",), 120, 0, _OTHER),
    _plain("mlp_silu", nn.SiLU, ("S(5)",), 120, 0, _OTHER),
    _plain(
        "mlp_sigmoid",
        nn.Sigmoid,
        ("S(5)",),
        120,
        0,
        _OTHER + " sigma(-z) = 1 - sigma(z) flips a unit if the next bias takes W2, which is not an action on a wire.",
    ),
    Entry(
        "mlp_identity",
        partial(mlp, (4, 5, 6, 3), nn.Identity),
        normal((8, 4)),
        ("GL(5)", "GL(6)", "shift(5)", "shift(6)"),
        1,
        72,
        "Only linear maps: any basis of either wire, and either bias may move into the next. P = 82 parameters give"
        " an affine map of 15, so the orbit has dimension 67, although the group has 25 + 36 + 5 + 6.",
        overlap=5,
    ),
    Entry(
        "mlp_relu_deep",
        partial(mlp, (4, 5, 6, 3), nn.ReLU),
        normal((12, 4)),
        ("S(5)", "S(6)", "scale(5)", "scale(6)"),
        factorial(5) * factorial(6),
        11,
        _HOMOGENEOUS + " The same for the 6 units of the second layer.",
    ),
    Entry(
        "mlp_log_softmax",
        lambda: nn.Sequential(*mlp((4, 5, 3), nn.Tanh), nn.LogSoftmax(dim=-1)),
        normal((8, 4)),
        ("S(5)", "signs(5)", "shift(5)", "shift(1)"),
        3840,
        6,
        _ODD + " Log-softmax kills what is common to its 3 inputs: one shift per column of the last weight and one of the bias.",
    ),
    Entry(
        "residual_mlp",
        partial(ResidualMLP, nn.ReLU),
        normal((12, 6)),
        ("S(5)", "S(4)", "scale(5)", "scale(4)"),
        factorial(5) * factorial(4),
        9,
        "All that is added to the stream of 4 passes a ReLU, so it has permutations and positive scalings, as"
        " the 5 units inside.",
    ),
    Entry(
        "residual_mlp_linear_stream",
        partial(ResidualMLP, nn.Identity),
        normal((12, 6)),
        ("GL(4)", "S(5)", "scale(5)", "shift(4)", "shift(4)"),
        120,
        16 + 5 + 8,
        "The stream of 4 meets linear maps and a sum only: GL(4). enter.bias moves by t if up.bias and leave.bias take W t;"
        " down.bias moves by u if leave.bias takes W u.",
    ),
    Entry(
        "shared_layer",
        partial(SharedLayer, True),
        normal((8, 4)),
        ("S(5)", "scale(5)"),
        120,
        5,
        "Rows and columns of the shared layer bear wires A, B and B, C, so A = B = C; its bias scales as B and as C.",
    ),
    Entry(
        "shared_layer_no_bias",
        partial(SharedLayer, False),
        normal((8, 4)),
        ("S(5)", "scale(5)", "scale(1)"),
        120,
        6,
        "Without the biases W only needs B/A = C/B: the shared weight may take a factor c and enter take c^-2.",
    ),
    Entry(
        "two_inputs_two_outputs",
        TwoInputsTwoOutputs,
        normal((12, 4), (12, 3)),
        ("S(5)", "signs(5)", "S(4)", "scale(4)", "shift(5)"),
        3840 * 24,
        9,
        "The tanh wire of 5 is signed, the ReLU wire of 4 is scaled; left.bias and right.bias meet in a sum: shift(5).",
    ),
)
