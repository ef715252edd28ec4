"""A mask that may hide every key of a query leaves the value bias where it is: such a query's mean is no mean."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.find import find
from parasym.symmetry import Shift, Symmetry


class Masked(nn.Module):
    """Attention with biases under a mask given as an input."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.out(functional.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x), mask))


def value_shifts(symmetry: Symmetry) -> list[tuple[str, ...]]:
    moves = [f.tensors for f in symmetry.factors if isinstance(f.bindings[0], Shift)]
    return [names for names in moves if set(names) == {"v.bias", "out.bias"}]


def test_a_mask_of_unknown_numbers_may_hide_everything():
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    model = Masked()
    assert value_shifts(find(model, (x,)))
    for mask in (torch.ones(3, 3, dtype=torch.bool), torch.zeros(3, 3)):
        assert not value_shifts(find(model, (x, mask)))
    # What would be wrong: under a mask that hides a whole row, the claimed shift changes the outputs.
    symmetry, params = find(model, (x,)), {n: p.detach() for n, p in model.named_parameters()}
    index = next(k for k, f in enumerate(symmetry.factors) if set(f.tensors) == {"v.bias", "out.bias"})
    moved = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(1), dtype=torch.float32, only=(index,)), params)
    hidden = torch.tensor([[True, True, True], [True, True, True], [False, False, False]])
    before, after = (torch.func.functional_call(model, p, (x, hidden)) for p in (params, moved))
    assert float((before - after)[:, 2].abs().max()) > 0.01
    assert torch.allclose(before[:, :2], after[:, :2], atol=1e-5)
