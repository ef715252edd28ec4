"""Weight-normalized and spectrally normalized layers."""

from math import factorial

from torch import nn
from torch.nn.utils import parametrizations

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


def _weight_norm() -> nn.Module:
    first, last = nn.Linear(4, 5), nn.Linear(5, 3)
    return nn.Sequential(parametrizations.weight_norm(first), nn.ReLU(), last)


def _weight_norm_both() -> nn.Module:
    first, last = nn.Linear(4, 5), nn.Linear(5, 3)
    return nn.Sequential(parametrizations.weight_norm(first), nn.Tanh(), parametrizations.weight_norm(last))


def _spectral_norm() -> nn.Module:
    first, last = nn.Linear(4, 5), nn.Linear(5, 3)
    return nn.Sequential(parametrizations.spectral_norm(first), nn.ReLU(), last)


REPARAMETRIZED = (
    Entry(
        "weight_norm",
        _weight_norm,
        normal((8, 4)),
        ("S(5)", "scale(5)", "scale(5)", "signs(5)"),
        factorial(5) * 2**5,
        10,
        "W = g v / |v|, row by row: the length of v is free, v and g may change sign together; the ReLU scale acts on g.",
    ),
    Entry(
        "weight_norm_both",
        _weight_norm_both,
        normal((8, 4)),
        ("S(5)", "signs(5)", "signs(5)", "scale(5)", "signs(3)", "scale(3)"),
        factorial(5) * 2**13,
        8,
        "tanh units are signed; the norm of a row of the last v does not see permutations and signs of its columns. Each row of"
        " both v has a free length, and a sign shared with its g, also where the outputs are pinned.",
    ),
    Entry(
        "spectral_norm",
        _spectral_norm,
        normal((8, 4)),
        ("S(5)", "scale(5)", "scale(1)", "scale(1)", "signs(1)", "signs(1)"),
        factorial(5) * 4,
        7,
        "W / (u W v) with u, v in buffers: rows of W scale with the ReLU and u goes inversely; W has a free"
        " length and sign, and so"
        " has u against v. Of the 58 parameters and buffer entries the function sees W / s, two biases and the last weight: the"
        " rest is u and v moving where u W v does not see it, 9 entries less one for s, less u against v already counted.",
        rest=7,
    ),
)
