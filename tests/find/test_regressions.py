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

    def __init__(self, function: Callable[["Reading", Tensor], Tensor]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.function = function
        self.a, self.b, self.c = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)
        self.p, self.q = (nn.Parameter(torch.randn(5, generator=generator)) for _ in range(2))
        self.w, self.v = (nn.Parameter(torch.randn(5, 5, generator=generator)) for _ in range(2))
        self.s, self.t = nn.Parameter(torch.randn(6, 6, generator=generator)), nn.Parameter(torch.randn(6, 2, generator=generator))
        self.register_buffer("few", torch.tensor(0.3))
        self.register_buffer("much", torch.tensor(0.7))
        self.register_buffer("order", torch.tensor([1, 0, 3, 2, 4]))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def _length(x: Tensor, order: float) -> Tensor:
    return torch.linalg.vector_norm(x, ord=order, dim=-1, keepdim=True)


def _causal_over_parameters(m: Reading, x: Tensor) -> Tensor:
    tokens = m.a(x)[:, None] + m.w
    return m.c(functional.scaled_dot_product_attention(tokens, tokens, tokens, is_causal=True).mean(1))


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
        lambda m, x: m.a(x) + m.b(x)[:, m.order],
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


def test_tables_read_by_different_tokens_are_not_exchanged():
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word, self.place, self.head = nn.Embedding(7, 5), nn.Embedding(7, 5), nn.Linear(5, 2)

        def forward(self, word: Tensor, place: Tensor) -> Tensor:
            return self.head((self.word(word) + self.place(place)).tanh())

    args = (torch.tensor([0, 3, 2]), torch.tensor([1, 1, 5]))
    assert not _wrong(Tokens().double(), args, exported=False)


def test_a_length_that_depends_on_values_is_refused():
    with pytest.raises(CaptureError, match="depends on the values"):
        find(Reading(lambda m, x: m.a(x)[x[:, 0] > 0]), (torch.zeros(4, 6),))
