"""Whole transformers: the residual stream, what reads it, and the heads."""

from functools import partial
from math import factorial

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.zoo.attention import Attention, FusedAttention, rotary_table, rotate
from parasym.zoo.entry import Entry
from parasym.zoo.gated import SwiGLU
from parasym.zoo.inputs import normal, tokens


class ViT(nn.Module):
    """Patches by convolution, a class token, positions, one pre-norm block with fused qkv, a head."""

    def __init__(self, width: int = 6, heads: int = 2, hidden: int = 5) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, width, 2, stride=2)
        self.cls, self.pos = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 5, width))
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), FusedAttention(width, heads), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(x.shape[0], -1, -1), x), dim=1) + self.pos
        x = x + self.attention(self.norm1(x))
        x = x + self.down(functional.gelu(self.up(self.norm2(x))))
        return self.head(self.norm(x).mean(1))


class GPT(nn.Module):
    """Token and position embeddings, one causal pre-norm block, and an output layer, tied or not."""

    def __init__(self, *, tied: bool, width: int = 6, heads: int = 2, hidden: int = 5) -> None:
        super().__init__()
        self.tok, self.pos = nn.Embedding(7, width), nn.Embedding(5, width)
        self.norm1, self.norm2, self.norm = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.head = nn.Linear(width, 7, bias=False)
        if tied:
            self.head.weight = self.tok.weight

    def forward(self, ids: Tensor) -> Tensor:  # noqa: D102
        length = ids.shape[1]
        x = self.tok(ids) + self.pos(torch.arange(length))
        mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        h = self.norm1(x)
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        x = x + self.down(functional.gelu(self.up(self.norm2(x))))
        return self.head(self.norm(x))


class Encoder(nn.Module):
    """``nn.TransformerEncoder`` between two Linear layers."""

    def __init__(self, *, norm_first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(6, 2, 5, dropout=0.0, batch_first=True, norm_first=norm_first)
        self.enter, self.leave = nn.Linear(7, 6), nn.Linear(6, 3)
        final = nn.LayerNorm(6) if norm_first else None
        self.encoder = nn.TransformerEncoder(layer, 1, norm=final, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.leave(self.encoder(self.enter(x)))


class BufferedRotary(Attention):
    """Rotary attention whose table is kept in buffers."""

    cos: Tensor
    sin: Tensor

    def __init__(self, width: int, heads: int, groups: int, dim: int, positions: int) -> None:
        super().__init__(width, heads, groups, dim, bias=False)
        for name, value in zip(("cos", "sin"), rotary_table(positions, dim), strict=True):
            self.register_buffer(name, value)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:  # noqa: D102
        cos, sin = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        q = rotate(self.q(x).unflatten(-1, (self.heads, self.dim)).transpose(1, 2), cos, sin)
        k = rotate(self.k(x).unflatten(-1, (self.groups, self.dim)).transpose(1, 2), cos, sin)
        v = self.v(x).unflatten(-1, (self.groups, self.dim)).transpose(1, 2)
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.o(out.transpose(1, 2).flatten(2))


class Llama(nn.Module):
    """Embedding, one block with grouped-query rotary attention and SwiGLU, RMSNorm, untied head."""

    def __init__(self, *, buffers: bool) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 6, bias=False)
        self.norm1, self.norm2, self.norm = (nn.RMSNorm(4, eps=1e-5) for _ in range(3))
        rotary = partial(BufferedRotary, positions=8) if buffers else partial(Attention, bias=False, rotary=True)
        self.attention = rotary(4, 4, 2, 4)
        self.mlp = SwiGLU()

    def forward(self, ids: Tensor) -> Tensor:  # noqa: D102
        x = self.embed(ids)
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm(x))


class TiedEmbedding(nn.Module):
    """Embedding, MLP, and the same embedding as output layer."""

    def __init__(self, *, residual: bool) -> None:
        super().__init__()
        self.embed, self.up, self.down = nn.Embedding(40, 4), nn.Linear(4, 6), nn.Linear(6, 4)
        self.residual = residual

    def forward(self, ids: Tensor) -> Tensor:  # noqa: D102
        x = self.embed(ids)
        y = self.down(torch.relu(self.up(x)))
        return functional.linear(x + y if self.residual else y, self.embed.weight)


class OnePosition(nn.Module):
    """A residual stream read by a LayerNorm everywhere, and by the head at the first position."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.norm, self.step, self.head = nn.Linear(7, 6), nn.LayerNorm(6), nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = self.enter(x)
        h = h + torch.tanh(self.step(self.norm(h)))
        return self.head(h[:, 0])


_READ = ("signs(6)", "scale(6)", "shift(6)")  # gain and bias of a norm, followed by Linear layers with bias
_HEADS = ("S(2)", "GL(3)^2", "GL(3)^2", "shift(6)", "shift(6)")
_STREAM = (
    "Pre-norm: every reader of the stream of 6 is a LayerNorm, so the stream has S(6) and one sign. Every gain"
    " has signs and scales"
    " that the next layer undoes, and every norm's bias may move into it. Heads: S(2), GL(3) on query-key and"
    " value-output per head,"
    " key bias, value bias. Hidden units: S(5). LayerNorm subtracts what is common to the channels: a shift per column of every"
    " weight that writes to the stream, per token or position of an embedding, one per bias. "
)
_READERS = (
    " The normalized stream sums to zero, so a multiple of 1/gain may be added to every row of a weight that reads it,"
    " if a bias takes what is left of the norm's bias, which of a constant in all keys nothing is:"
)
_ROTATIONS = " The rest: rotations of the mean-free stream, O(5), that the reading weights undo: 10."

TRANSFORMER = (
    Entry(
        "vit",
        ViT,
        normal((8, 1, 4, 4)),
        (
            *("S(6)", "signs(1)", *_READ, *_READ, *_READ, *_HEADS, "S(5)"),
            *("shift(4)", "shift(1)", "shift(1)", "shift(1)", "shift(4)", "shift(6)", "shift(1)", "shift(5)", "shift(1)"),
            *("shift(6)", "shift(6)"),
            *("shift(6)", "shift(6)", "shift(6)", "shift(5)", "shift(3)"),
        ),
        factorial(6) * 2 * 2**18 * 2 * factorial(5),
        36 + 48 + 24 + 12 + 26,
        _STREAM
        + "Patch weight 4 and bias 1, class token 1, positions 1 and 4, proj 6 and 1, down 5 and 1. The patch bias and the class"
        " token meet the positions in sums: two shifts of 6, in each of which the common part is counted twice."
        + _READERS
        + " 6 rows each of query, key and value, 5 of up, 3 of the head."
        + _ROTATIONS,
        overlap=2,
        rest=10,
    ),
    Entry(
        "gpt_tied",
        partial(GPT, tied=True),
        tokens(7, (16, 5)),
        (
            *("S(6)", "signs(1)", *_READ, *_READ, *_HEADS, "S(5)"),
            *("shift(5)", "shift(6)", "shift(1)", "shift(5)", "shift(1)"),
            *("shift(6)", "shift(6)", "shift(6)", "shift(5)"),
        ),
        factorial(6) * 2 * 2**12 * 2 * factorial(5),
        24 + 48 + 18 + 23,
        _STREAM
        + "The embedding is read by the output too: no shift of its own, and the last norm's outputs bear only the stream's"
        " sign. Positions 5, out_proj 6 and 1, down 5 and 1." + _READERS + " 6 rows each of query, key and value, 5 of up.",
    ),
    Entry(
        "gpt",
        partial(GPT, tied=False),
        tokens(7, (16, 5)),
        (
            *("S(6)", "signs(1)", *_READ, *_READ, "signs(6)", "scale(6)", *_HEADS, "S(5)"),
            *("shift(7)", "shift(5)", "shift(6)", "shift(1)", "shift(5)", "shift(1)", "shift(6)"),
            *("shift(6)", "shift(6)", "shift(6)", "shift(5)"),
        ),
        factorial(6) * 2 * 2**18 * 2 * factorial(5),
        24 + 6 + 48 + 25 + 6 + 23,
        _STREAM
        + "Tokens 7, positions 5, out_proj 6 and 1, down 5 and 1. Token and position embeddings meet in a sum: shift(6), whose"
        " common part is counted twice. The head has no bias, so the last norm's bias stays."
        + _READERS
        + " 6 rows each of query, key and value, 5 of up."
        + _ROTATIONS
        + " And 6 of the head's rows and the last bias together, which no translation is.",
        overlap=1,
        rest=16,
    ),
    Entry(
        "transformer_encoder",
        partial(Encoder, norm_first=False),
        normal((8, 5, 7)),
        (
            *("S(6)", "signs(1)", "signs(1)", *_READ, *_HEADS, "S(5)", "scale(5)"),
            *("shift(6)", "shift(1)", "shift(5)", "shift(1)", "shift(6)", "shift(6)", "shift(5)", "shift(3)"),
        ),
        factorial(6) * 4 * 2**6 * 2 * factorial(5),
        12 + 48 + 5 + 13 + 12 + 8,
        "Post-norm: gains tie the permutation of all three streams, S(6); before either norm one sign. The last norm is read by a"
        " Linear. Heads as ever; ReLU hidden units. Only out_proj (6 and 1) and linear2 (5 and 1) write to a"
        " norm alone, which subtracts"
        " what is common. enter.bias may move by t if in_proj_bias takes W t and out_proj.bias takes t; likewise norm1.bias with"
        " linear1.bias and linear2.bias." + _READERS + " 5 rows of linear1, 3 of leave. The rest: x + w(x) 1 on the first"
        " stream, which in_proj undoes and the norm does not see, 6; and one rotation that changes norm1's gain.",
        rest=7,
    ),
    Entry(
        "transformer_encoder_norm_first",
        partial(Encoder, norm_first=True),
        normal((8, 5, 7)),
        (
            *("S(6)", "signs(1)", *_READ, *_READ, *_READ, *_HEADS, "S(5)", "scale(5)"),
            *("shift(7)", "shift(1)", "shift(6)", "shift(1)", "shift(5)", "shift(1)"),
            *("shift(6)", "shift(6)", "shift(6)", "shift(5)", "shift(3)"),
        ),
        factorial(6) * 2 * 2**18 * 2 * factorial(5),
        36 + 48 + 5 + 21 + 26,
        _STREAM
        + "enter 7 and 1, out_proj 6 and 1, linear2 5 and 1. The hidden units are ReLUs."
        + _READERS
        + " 6 rows each of query, key and value, 5 of linear1, 3 of leave."
        + _ROTATIONS,
        rest=10,
    ),
    *(
        Entry(
            f"llama_rope_{where}",
            partial(Llama, buffers=where == "buffers"),
            tokens(9, (16, 6)),
            (
                *("S(4)", "signs(4)", "signs(4)", "signs(4)", "signs(4)", "scale(4)", "scale(4)", "scale(4)"),
                *("S(2)", "S(2)^2", "planes(2)^2", "GL(4)^2", "S(6)", "signs(6)", "scale(6)"),
            ),
            factorial(4) * 2**16 * 2 * 2**2 * factorial(6) * 2**6,
            12 + 8 + 32 + 6,
            "The stream of 4 has S(4) and, since RMSNorm does not see signs, signs(4); the gain of each of the"
            " three norms has signs and"
            " scales that its readers undo. 2 key-value heads with 2 query heads each: both may be exchanged;"
            " per key-value head one complex"
            " number per plane on query-key and GL(4) on value-output. SwiGLU: S(6), signs and scales of the"
            " value. The rotary table"
            f" ({where}) is a constant. The rest: O(4) of the stream, if the reading weights take gain and rotation together.",
            rest=6,
        )
        for where in ("forward", "buffers")
    ),
    Entry(
        "one_position",
        OnePosition,
        normal((8, 3, 7)),
        ("S(6)", "signs(1)", *_READ, "shift(6)"),
        factorial(6) * 2 * 2**6,
        18,
        "The norm does not see what is common to the stream, but the head does, at one position: no shift of enter. tanh and norm"
        " together leave one sign of the stream."
        + _READERS
        + " 6 rows of step. The rest: what is common to enter.bias, if the head's"
        " bias takes it.",
        rest=1,
    ),
    Entry(
        "embedding_tied",
        partial(TiedEmbedding, residual=False),
        tokens(40, (32,)),
        ("GL(4)", "S(6)", "scale(6)"),
        factorial(6),
        22,
        "The embedding's columns are read by up and, as output layer, read down: the wire before down's output"
        " is the dual of the one"
        " after the embedding. GL(4) on the embedding, its dual on up's columns and on down's rows.",
    ),
    Entry(
        "embedding_tied_residual",
        partial(TiedEmbedding, residual=True),
        tokens(40, (32,)),
        ("O(4)", "S(6)", "scale(6)"),
        factorial(6),
        12,
        "The residual makes the wire its own dual: O(4).",
    ),
)
