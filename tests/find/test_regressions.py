"""Small models on which ``find`` once claimed something wrong, or failed: one row each, with what it claimed."""

from collections.abc import Callable
from itertools import chain

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.core import CaptureError
from parasym.find import find
from parasym.symmetry import group_name
from parasym.zoo import generic_params
from tests.zoo.acting import factor_errors


class Reading(nn.Module):
    """Two Linear layers ``a`` and ``b`` from 6 to 5, parameters ``p``, ``q``, ``w``, ``v``, and a function of them."""

    few: Tensor
    much: Tensor
    none: Tensor
    order: Tensor

    def __init__(self, function: Callable[["Reading", Tensor], Tensor]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.function = function
        self.a, self.b, self.c = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)
        self.p, self.q = (nn.Parameter(torch.randn(5, generator=generator)) for _ in range(2))
        self.w, self.v = (nn.Parameter(torch.randn(5, 5, generator=generator)) for _ in range(2))
        self.s, self.t = (
            nn.Parameter(torch.randn(6, 6, generator=generator)),
            nn.Parameter(torch.randn(6, 2, generator=generator)),
        )
        self.register_buffer("few", torch.tensor(0.3))
        self.register_buffer("much", torch.tensor(0.7))
        self.register_buffer("none", torch.tensor(0.0))
        self.register_buffer("order", torch.tensor([1, 0, 3, 2, 4]))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def _length(x: Tensor, order: float) -> Tensor:
    return torch.linalg.vector_norm(x, ord=order, dim=-1, keepdim=True)


def _causal_over_parameters(m: Reading, x: Tensor) -> Tensor:
    tokens = m.a(x)[:, None] + m.w
    return m.c(functional.scaled_dot_product_attention(tokens, tokens, tokens, is_causal=True).mean(1))


def _hidden_rows(m: Reading, x: Tensor) -> Tensor:
    seen = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], dtype=torch.bool)
    return functional.scaled_dot_product_attention(m.a(x), m.b(x), m.b(x), attn_mask=seen) + m.p


def _rotated(x: Tensor, base: float) -> Tensor:
    angles = torch.arange(4.0, dtype=x.dtype)[:, None] * base ** -torch.arange(2.0, dtype=x.dtype)
    turned = torch.cat((-x[:, 2:], x[:, :2]), -1)
    return x * torch.cat((angles, angles), -1).cos() + turned * torch.cat((angles, angles), -1).sin()


def _in_place_through_a_view(m: Reading, x: Tensor) -> Tensor:
    h = m.a(x)
    h.view_as(h).relu_()
    return m.c(h)


def _argmax_beside(m: Reading, x: Tensor) -> Tensor:
    return m.a(x).tanh() + m.b(x).tanh() + m.a(x).sin().argmax(-1, keepdim=True)


# What was claimed, and the model. The last comment of a row says why it is wrong.
CASES: dict[str, tuple[str, Callable[[Reading, Tensor], Tensor]]] = {
    "lerp_number": ("shift between the ends, and their exchange", lambda m, x: m.c(torch.lerp(m.a(x), m.b(x), 0.3))),
    "lerp_tensor": ("exchange of the ends", lambda m, x: m.c(torch.lerp(m.a(x).tanh(), m.b(x).tanh(), m.p))),
    "addcmul_value": ("shift without the factor", lambda m, x: m.c(torch.addcmul(m.p, m.a(x), m.q, value=0.5).tanh())),
    "addmm_alpha": ("shift without the factor", lambda m, x: torch.addmm(m.p, m.a(x), m.w, alpha=0.5).tanh()),
    "addmm_beta": ("shift without the factor", lambda m, x: torch.addmm(m.p, m.a(x), m.w, beta=2).tanh()),
    "addmm_exchange": (
        "exchange of branches with different factors",
        lambda m, x: torch.addmm(m.p, m.a(x).tanh(), m.w, alpha=0.5) + torch.addmm(m.p, m.b(x).tanh(), m.v, alpha=2),
    ),
    "inner": ("inner read as a matrix product", lambda m, x: torch.inner(x, m.s).tanh() @ m.t),
    "einsum_summed_alone": ("rotations of channels that are summed", lambda m, x: torch.einsum("bi,bo->bo", m.a(x), m.c(m.b(x)))),
    "einsum_summed_alone_first": ("a crash", lambda m, x: torch.einsum("bi,o->bo", m.a(x), m.p).tanh()),
    "scalar_buffers": (
        "exchange of branches with different constant factors",
        lambda m, x: m.c(m.few * m.a(x).tanh() + m.much * m.b(x).tanh()),
    ),
    "indexed_branches": (
        "exchange of branches that look up different entries",
        lambda m, x: m.a(x)[:, m.order] + m.b(x)[:, m.order.flip(0)],
    ),
    "argmax_of_one_branch": ("exchange, although one branch is read again", _argmax_beside),
    "largest_and_smallest": ("exchange of a maximum and a minimum", lambda m, x: m.a(x).amax(-1) + m.b(x).amin(-1)),
    "product_and_logsumexp": ("exchange of different reductions", lambda m, x: m.a(x).prod(-1) + m.b(x).logsumexp(-1)),
    "mean_and_sum_of_squares": ("exchange of a mean and a sum", lambda m, x: (m.a(x) ** 2).mean(-1) + (m.b(x) ** 2).sum(-1)),
    "biased_and_unbiased": ("exchange of two variances", lambda m, x: m.a(x).var(-1) + m.b(x).var(-1, unbiased=False)),
    "largest_of_two": ("a crash", lambda m, x: m.c(torch.max(m.a(x), m.b(x)))),
    "norm_of_order_0": ("a scale of a count", lambda m, x: _length(m.a(x).relu(), 0) * m.p),
    "irrational_power": ("a scale to a rounded power", lambda m, x: m.c(m.a(x).abs() ** 2.0003)),
    "causal_over_parameters": ("exchange of positions under a causal mask", _causal_over_parameters),
    "where_and_its_opposite": (
        "exchange of branches that are read at different places",
        lambda m, x: torch.where(x[:, :1] > 0, m.a(x).relu(), m.none) + torch.where(x[:, :1] > 0, m.none, m.b(x).relu()),
    ),
    "hidden_rows": ("shift of values where no key is seen", _hidden_rows),
    "whole_numbers": ("mixing through a cast", lambda m, x: m.c(m.a(x).long().to(x.dtype) + m.a(x))),
    "in_place_through_a_view": ("mixing, for a write was overlooked", _in_place_through_a_view),
    "sparse_constant": (
        "a crash",
        lambda m, x: torch.sparse.mm(torch.eye(4, dtype=x.dtype).to_sparse(), m.a(x).relu()) @ m.w,
    ),
    "unbatched_transposed_convolution": (
        "a crash",
        lambda m, x: functional.conv_transpose1d(x.T[:, :3], m.s[:, :4].reshape(6, 2, 2)).tanh(),
    ),
}


def _wrong(model: nn.Module, args: tuple[Tensor, ...], *, exported: bool) -> list[str]:
    subject = torch.export.export(model, args, strict=False) if exported else model
    symmetry = find(subject, args)
    generator = torch.Generator().manual_seed(0)
    params = generic_params(model, generator=generator)
    errors = chain.from_iterable(factor_errors(model, symmetry, params, args, generator=generator) for _ in range(2))
    return [f"{group_name(f)} on {f.tensors}: {error:.1e}" for f, error, way in errors if not error < 1e-10 or way == 0]


@pytest.mark.parametrize("exported", [False, True], ids=["traced", "exported"])
@pytest.mark.parametrize("name", CASES)
def test_no_wrong_claim(name: str, exported: bool):
    claimed, function = CASES[name]
    args = (torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64),)
    wrong = _wrong(Reading(function).double(), args, exported=exported)
    assert not wrong, f"once claimed {claimed}: {wrong}"


# What was missed: the model, and a group that must be found on ``a.weight``.
MISSED: dict[str, tuple[str, Callable[[Reading, Tensor], Tensor]]] = {
    "normalized": ("O(5)", lambda m, x: m.c(functional.normalize(m.a(x), dim=-1))),
    "zeros_beside": ("GL(5)", lambda m, x: torch.cat((m.a(x), torch.zeros(4, 5, dtype=x.dtype))) @ m.w),
    "hardtanh": ("signs(5)", lambda m, x: m.c(functional.hardtanh(m.a(x)))),
    "masked_with_infinity": (
        "shift(5)",
        lambda m, x: (m.b(x) @ m.a(x).T).masked_fill(x[:, :4] > 9, -torch.inf).softmax(-1) @ m.c(m.b(x)),
    ),
}


@pytest.mark.parametrize("name", MISSED)
def test_no_longer_missed(name: str):
    group, function = MISSED[name]
    args = (torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64),)
    model = Reading(function).double()
    assert not _wrong(model, args, exported=False)
    groups = {group_name(f) for f in find(model, args).factors if any(t.startswith("a.") for t in f.tensors)}
    assert group in groups


def test_tables_read_by_different_tokens_are_not_exchanged():
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word, self.place, self.head = nn.Embedding(7, 5), nn.Embedding(7, 5), nn.Linear(5, 2)

        def forward(self, word: Tensor, place: Tensor) -> Tensor:
            return self.head((self.word(word) + self.place(place)).tanh())

    args = (torch.tensor([0, 3, 2]), torch.tensor([1, 1, 5]))
    assert not _wrong(Tokens().double(), args, exported=False)


def test_branches_turned_by_other_angles_are_not_exchanged():
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.queries, self.keys = (nn.ModuleList(nn.Linear(6, 4) for _ in range(2)) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            branches = zip(self.queries, self.keys, (9.0, 3.0), strict=True)
            scores = [_rotated(query(x), base) @ _rotated(key(x), base).T for query, key, base in branches]
            return scores[0].softmax(-1) + scores[1].softmax(-1)

    args = (torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64),)
    assert not _wrong(Turned().double(), args, exported=False)


def test_a_length_that_depends_on_values_is_refused():
    with pytest.raises(CaptureError, match="depends on the values"):
        find(Reading(lambda m, x: m.a(x)[x[:, 0] > 0]), (torch.zeros(4, 6),))


def test_one_constant_in_two_places_ties_nothing():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.out = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            half = torch.full((4,), 0.5)
            return self.out(torch.cat([(self.one(x) + half).sigmoid(), (self.two(x) * half).sigmoid()], 1))

    symmetry = find(Twice(), (torch.zeros(2, 3),))
    # The two layers are exchanged each by itself, and channel by channel.
    assert sorted(map(group_name, symmetry.factors)).count("S(4)") == 2
