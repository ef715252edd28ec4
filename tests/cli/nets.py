"""Models that the tests of the command line name as `nets.py:factory`, and weights for them."""

from typing import Any

import torch
from torch import nn

example_inputs = (torch.randn(4, 6, generator=torch.Generator().manual_seed(0)),)


def build():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


def normalized():
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def half():
    return build().half()


def on_meta():
    with torch.device("meta"):
        return build()


def diverged():
    model = build()
    model.get_parameter("0.weight").data[0, 0] = float("nan")
    return model


def dropped():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def deep_normalized():
    return nn.Sequential(*(nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU()) for _ in range(2)), nn.Linear(6, 3))


def no_parameters():
    return nn.ReLU()


def other():
    return nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3))


def lstm():
    return nn.LSTM(6, 4)


class Branching(nn.Module):
    """Its path depends on the data: it cannot be captured."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        y = self.fc(x)
        return y if y.sum() > 0 else -y


class Talks(nn.Module):
    """Prints from its forward."""

    def __init__(self):
        super().__init__()
        self.net = build()

    def forward(self, x):
        print("hello from the model")  # noqa: T201
        return self.net(x)


def weights(seed, name="build"):
    """Weights of a model from a seed, with statistics that are not the default ones."""
    torch.manual_seed(seed)
    model = globals()[name]()
    if "normalized" in name:
        model.train()(torch.randn(64, 6))
    return {k: v.clone() for k, v in model.state_dict().items()}


class Tied(nn.Module):
    """A language model whose head is its embedding."""

    def __init__(self):
        super().__init__()
        self.embed, self.up, self.head = nn.Embedding(7, 4), nn.Linear(4, 4), nn.Linear(4, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, i):
        return self.head(torch.relu(self.up(self.embed(i))))


class Two(nn.Module):
    """Two inputs of different width, with running statistics and an argument that may be left out."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.norm, self.head = nn.Linear(6, 8), nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, a, b, gain=None):
        hidden = self.norm(self.left(a) + self.right(b)).relu()
        return self.head(hidden if gain is None else hidden * gain)


def bert():
    from transformers import BertConfig, BertModel

    small: dict[str, Any] = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 12,
        "vocab_size": 30,
    }
    return BertModel(BertConfig(**small, max_position_embeddings=16))


class Graph(nn.Module):
    """Nodes and edges, which differ in number."""

    def __init__(self):
        super().__init__()
        self.up, self.norm, self.down = nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Linear(7, 2)

    def forward(self, x, edge_index):
        hidden = self.norm(self.up(x)).relu()
        return self.down(hidden.index_add(0, edge_index[1], hidden[edge_index[0]]))
