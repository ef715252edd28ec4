"""Attention alone: plain, rotary, grouped-query, query-key-normalized, cross.

Index conventions: b batch, s and t positions, h head, g key-value head, r query head within a group, d channel.
"""

from functools import partial
from math import factorial

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


def rotary_table(positions: int, dim: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of shape ``[positions, dim]`` for the half-split rotary embedding.

    Args:
        positions: Number of positions.
        dim: Channels of a head; channel ``i`` and ``i + dim / 2`` form a plane.
    """
    speed = 10.0 ** (-torch.arange(0, dim, 2).double() / dim)
    angle = torch.outer(torch.arange(positions).double(), speed)
    return torch.cat((angle.cos(), angle.cos()), -1), torch.cat((angle.sin(), angle.sin()), -1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Return queries or keys rotated by their positions.

    Args:
        x: Queries or keys, ``[b, h, s, d]``.
        cos: Cosines, ``[s, d]``.
        sin: Sines, ``[s, d]``.
    """
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos.to(x.dtype) + turned * sin.to(x.dtype)


class Attention(nn.Module):
    """Attention with separate projections, written out."""

    def __init__(
        self, width: int, heads: int, groups: int, dim: int, *, bias: bool, rotary: bool = False, norm: str = "none"
    ) -> None:
        super().__init__()
        self.heads, self.groups, self.dim, self.rotary = heads, groups, dim, rotary
        self.q, self.k = nn.Linear(width, heads * dim, bias), nn.Linear(width, groups * dim, bias)
        self.v, self.o = nn.Linear(width, groups * dim, bias), nn.Linear(heads * dim, width, bias)
        gain = norm == "gain"
        make = nn.Identity if norm == "none" else partial(nn.RMSNorm, dim, eps=1e-5, elementwise_affine=gain)
        self.q_norm, self.k_norm = make(), make()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:  # noqa: D102
        source = x if context is None else context
        q = self.q_norm(self.q(x).unflatten(-1, (self.heads, self.dim))).transpose(1, 2)
        k = self.k_norm(self.k(source).unflatten(-1, (self.groups, self.dim))).transpose(1, 2)
        v = self.v(source).unflatten(-1, (self.groups, self.dim)).transpose(1, 2)
        if self.rotary:
            table = rotary_table(x.shape[1], self.dim)
            q, k = rotate(q, *table), rotate(k, *table)
        q = q.unflatten(1, (self.groups, self.heads // self.groups))
        weights = (torch.einsum("bgrsd,bgtd->bgrst", q, k) / self.dim**0.5).softmax(-1)
        out = torch.einsum("bgrst,bgtd->bsgrd", weights, v)
        return self.o(out.flatten(2))


class FusedAttention(nn.Module):
    """One projection for query, key and value, and the fused attention operation."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        batch, length, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        out = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).reshape(batch, length, width))


class CrossAttention(nn.Module):
    """``nn.MultiheadAttention`` from one sequence to another of a different width."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, kdim=5, vdim=4, batch_first=True)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:  # noqa: D102
        return self.attention(x, keys, values, need_weights=False)[0]


_HEADS = (
    "Scores are q k and outputs are W_o v, head by head: GL(d) on query against key and on value against output; heads may be"
    " exchanged."
)
_BIASES = (
    " The key bias adds the same to all scores of a query, which the softmax does not see; the weights sum to"
    " 1, so the value bias"
    " may move into the output bias."
)
_ROTARY = " The rotation by position lets only complex numbers pass, one per plane, shared by all queries of a key-value head."


class RelativeAttention(nn.Module):
    """Attention whose scores know distances too, shifted into place by reshapes, as in Transformer-XL."""

    def __init__(self, features: int, heads: int, head_dim: int, length: int) -> None:
        super().__init__()
        self.cut = (heads, head_dim)
        self.q, self.k, self.v, self.r = (nn.Linear(features, heads * head_dim, bias=False) for _ in range(4))
        self.o = nn.Linear(heads * head_dim, features, bias=False)
        generator = torch.Generator().manual_seed(0)  # a constant of the architecture
        self.distances = nn.Buffer(torch.randn(2 * length, features, generator=generator))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        q, k, v = (f(x).unflatten(-1, self.cut).transpose(1, 2) for f in (self.q, self.k, self.v))
        r = self.r(self.distances).unflatten(-1, self.cut)
        far = torch.einsum("bhtd,shd->bhts", q, r)
        b, h, t, s = far.shape
        far = far.reshape(b, h, s, t)[:, :, 1:].reshape(b, h, t, s - 1)[..., :t]
        out = (q @ k.mT + far).softmax(-1) @ v
        return self.o(out.transpose(1, 2).flatten(2))


ATTENTION = (
    Entry(
        "attention",
        partial(Attention, 6, 2, 2, 3, bias=False),
        normal((4, 5, 6)),
        ("S(2)", "GL(3)^2", "GL(3)^2"),
        2,
        36,
        _HEADS + " P = 144, rank 108.",
    ),
    Entry(
        "attention_bias",
        partial(Attention, 6, 2, 2, 3, bias=True),
        normal((4, 5, 6)),
        ("S(2)", "GL(3)^2", "GL(3)^2", "shift(6)", "shift(6)"),
        2,
        48,
        _HEADS + _BIASES + " P = 168, rank 120.",
    ),
    Entry(
        "attention_fused_qkv",
        partial(FusedAttention, 6, 2),
        normal((4, 5, 6)),
        ("S(2)", "GL(3)^2", "GL(3)^2", "shift(6)", "shift(6)"),
        2,
        48,
        _HEADS + _BIASES + " Rows of the fused weight are a product of query-key-value, 2 heads and 3.",
    ),
    Entry(
        "attention_rope",
        partial(Attention, 6, 2, 2, 4, bias=False, rotary=True),
        normal((4, 5, 6)),
        ("S(2)", "planes(2)^2", "GL(4)^2"),
        2,
        40,
        _HEADS + _ROTARY + " Two dimensions per plane: 2 heads of 2 planes give 8, and 32 for the values. P = 192, rank 152.",
    ),
    Entry(
        "attention_rope_shared_key",
        partial(Attention, 6, 2, 1, 4, bias=False, rotary=True),
        normal((4, 5, 6)),
        ("S(2)", "planes(2)", "GL(4)"),
        2,
        20,
        _HEADS + _ROTARY + " 2 query heads share 1 key-value head. P = 144, rank 124.",
    ),
    Entry(
        "attention_grouped_query",
        partial(Attention, 5, 4, 2, 2, bias=False),
        normal((4, 5, 5)),
        ("S(2)", "S(2)^2", "GL(2)^2", "GL(2)^2"),
        2 * 2**2,
        16,
        _HEADS + " 4 query heads share 2 key-value heads: these may be exchanged with their queries, and the 2 queries of each.",
    ),
    Entry(
        "attention_qk_norm",
        partial(Attention, 6, 2, 2, 3, bias=False, norm="gain"),
        normal((4, 5, 6)),
        ("S(2)", "S(3)", "signs(2)^3", "signs(3)", "signs(3)", "scale(3)", "GL(3)^2"),
        2 * 6 * 2**12,
        21,
        "Gains of length 3 are shared by the 2 heads, so the permutation of channels is too. Signs of query and key rows pass"
        " both norms: one for every channel of every head, because the gains stay where they are; or, with the gain of the query"
        " or of the key, one for a channel of all heads. The query's gain may be rescaled against the key's. " + _HEADS,
    ),
    Entry(
        "attention_qk_norm_no_gain",
        partial(Attention, 6, 2, 2, 3, bias=False, norm="plain"),
        normal((4, 5, 6)),
        ("S(2)", "O(3)^2", "GL(3)^2"),
        2,
        24,
        "Root-mean-square normalization without gain commutes with rotations: O(3) on query and key, per head. " + _HEADS,
    ),
    Entry(
        "attention_qk_norm_rope",
        partial(Attention, 6, 2, 2, 4, bias=False, rotary=True, norm="plain"),
        normal((4, 5, 6)),
        ("S(2)", "planes(2)^2", "GL(4)^2"),
        2,
        36,
        "The norm forbids the scale of a plane and the rotation by position all but its phase: one dimension per plane. "
        + _HEADS,
    ),
    Entry(
        "cross_attention",
        CrossAttention,
        normal((4, 5, 6), (4, 4, 5), (4, 4, 4)),
        ("S(2)", "GL(3)^2", "GL(3)^2", "shift(6)", "shift(6)"),
        factorial(2),
        48,
        _HEADS + _BIASES,
    ),
    Entry(
        "attention_relative",
        partial(RelativeAttention, 5, 2, 3, 4),
        normal((6, 4, 5)),
        ("S(2)", "GL(3)^2", "GL(3)^2"),
        factorial(2),
        36,
        _HEADS + " Distances bear the dual of the queries, as keys do; the shift moves positions alone.",
    ),
)
