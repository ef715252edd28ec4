"""The Jacobian over fresh inputs: its rank is that of the whole, and it says when it has not seen enough to know."""

import torch
from torch import nn

from parasym.core import model_params
from parasym.functional import Call
from parasym.functional.evaluator import evaluator
from parasym.verify.jacobian import jacobian

X = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def found(model: nn.Module, most: int):
    run, params = evaluator(model, torch.float64, seed=0)
    names = tuple(name for name, _ in model.named_parameters())
    return jacobian(run, params, names, Call((X,)), torch.Generator().manual_seed(1), most=most)


def test_the_rank_is_that_of_autograd_on_many_inputs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    x = torch.randn(400, 4, dtype=torch.float64)
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    sizes = [p.numel() for p in model.parameters()]

    def outputs(v: torch.Tensor) -> torch.Tensor:
        parts = zip(model_params(model).items(), v.split(sizes), strict=True)
        return torch.func.functional_call(model, {n: s.view(p.shape) for (n, p), s in parts}, (x,)).flatten()

    whole = torch.linalg.matrix_rank(torch.autograd.functional.jacobian(outputs, flat))
    many = found(model, 3000)
    assert (many.rank.value, many.settled) == (int(whole), True)
    assert int(whole) == 43 - 5


def test_too_few_inputs_are_not_taken_for_all() -> None:
    torch.manual_seed(0)

    class OneSample(nn.Module):
        """What it returns for one batch is one number, so that a batch is a row."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x).sum().square()

    few = found(OneSample().double(), 3)
    assert (few.rank.value, few.inputs, few.settled) == (3, 3, False)
    assert found(OneSample().double(), 3000).settled
