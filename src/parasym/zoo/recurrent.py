"""Recurrent networks: the hidden units of every gate are one wire."""

from collections.abc import Callable
from functools import partial
from math import factorial

from torch import Tensor, nn

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class Recurrent(nn.Module):
    """A recurrent layer and a Linear head on the mean of its outputs."""

    def __init__(self, kind: Callable[..., nn.Module], width: int, *, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__()
        self.rnn = kind(3, width, num_layers=layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(width * (2 if bidirectional else 1), 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.head(self.rnn(x)[0].mean(1))


_LSTM = (
    "h = o tanh(c), c = f c + i tanh(g): the cell state may change its sign with g and h, so the units have signed permutations."
    " The two biases of every gate meet in a sum."
)
_GRU = (
    "h' = (1 - z) n + z h: the state may change its sign with n. The two biases of reset and update meet in a sum; those of n do"
    " not, since the reset gate stands between them."
)

RECURRENT = (
    Entry(
        "rnn_tanh",
        partial(Recurrent, nn.RNN, 4),
        normal((6, 3, 3)),
        ("S(4)", "signs(4)", "shift(4)"),
        factorial(4) * 2**4,
        4,
        "The state is one odd wire at all times; its two biases meet in a sum.",
    ),
    Entry(
        "lstm",
        partial(Recurrent, nn.LSTM, 4),
        normal((6, 3, 3)),
        ("S(4)", "signs(4)", *["shift(4)"] * 4),
        factorial(4) * 2**4,
        16,
        _LSTM + " P = 154, rank 138.",
    ),
    Entry(
        "gru",
        partial(Recurrent, nn.GRU, 4),
        normal((6, 3, 3)),
        ("S(4)", "signs(4)", "shift(4)", "shift(4)"),
        factorial(4) * 2**4,
        8,
        _GRU + " P = 118, rank 110.",
    ),
    Entry(
        "lstm_bidirectional",
        partial(Recurrent, nn.LSTM, 3, bidirectional=True),
        normal((6, 3, 3)),
        ("S(3)", "signs(3)", "S(3)", "signs(3)", *["shift(3)"] * 8),
        (6 * 8) ** 2,
        24,
        _LSTM + " Each direction has its own.",
    ),
    Entry(
        "gru_bidirectional",
        partial(Recurrent, nn.GRU, 3, bidirectional=True),
        normal((6, 3, 3)),
        ("S(3)", "signs(3)", "S(3)", "signs(3)", *["shift(3)"] * 4),
        (6 * 8) ** 2,
        12,
        _GRU + " Each direction has its own.",
    ),
    Entry(
        "lstm_stacked",
        partial(Recurrent, nn.LSTM, 3, layers=2),
        normal((6, 3, 3)),
        ("S(3)", "signs(3)", "S(3)", "signs(3)", *["shift(3)"] * 8),
        (6 * 8) ** 2,
        24,
        _LSTM + " Each layer has its own.",
    ),
    Entry(
        "gru_stacked",
        partial(Recurrent, nn.GRU, 3, layers=2),
        normal((6, 3, 3)),
        ("S(3)", "signs(3)", "S(3)", "signs(3)", *["shift(3)"] * 4),
        (6 * 8) ** 2,
        12,
        _GRU + " Each layer has its own.",
    ),
)
