"""Models that choose entries: rows of a table by tokens, entries by their rank, every other channel."""

from functools import partial
from math import factorial

import torch
from torch import Tensor, nn

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal, tokens


class BagOfWords(nn.Module):
    """The mean of the rows of all tokens, and a linear layer: a linear text classifier."""

    def __init__(self, vocabulary: int, dim: int, outputs: int) -> None:
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(vocabulary, dim, mode="mean"), nn.Linear(dim, outputs)

    def forward(self, index: Tensor) -> Tensor:  # noqa: D102
        return self.head(self.words(index))


class MaxPooling(nn.Module):
    """The `k` largest entries of every channel over the positions, in the order of their size."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.conv, self.head, self.k = nn.Conv1d(2, 4, 3), nn.Linear(4 * k, 3), k

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.head(self.conv(x).relu().topk(self.k, dim=2).values.flatten(1))


class Ranked(nn.Module):
    """Hidden units in the order of their size, whichever they are."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.head(self.up(x).tanh().sort(1).values)


class EveryOther(nn.Module):
    """A hidden layer of which every other channel is written into in place."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        hidden = self.up(x)
        hidden[:, ::2] *= 3
        return self.head(torch.relu(hidden))


SELECTION = (
    Entry(
        "bag_of_words",
        partial(BagOfWords, 7, 2, 3),
        tokens(7, (16, 3)),
        ("GL(2)", "shift(2)"),
        1,
        6,
        "Only linear maps touch the features, and a mean hands a constant on to the bias of the head. P = 23, rank 17.",
    ),
    Entry(
        "k_max_pooling",
        partial(MaxPooling, 2),
        normal((12, 2, 6)),
        ("S(4)", "scale(4)"),
        factorial(4),
        4,
        "Which entries of a channel are the largest does not change if all of it is scaled, nor if channels change places.",
    ),
    Entry(
        "sorted_units",
        Ranked,
        normal((16, 4)),
        ("S(5)",),
        factorial(5),
        0,
        "The order of the units does not count, since they are sorted; the head tells ranks apart and stays as it is.",
    ),
    Entry(
        "every_other_in_place",
        EveryOther,
        normal((16, 4)),
        ("S(3) x S(2)", "scale(5)"),
        factorial(3) * factorial(2),
        5,
        "The factor 3 of channels 0, 2 and 4 tells them from 1 and 3; a ReLU lets scales pass.",
    ),
)
