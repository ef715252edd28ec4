"""Small models with their symmetry written down by hand: ``name -> (model, arguments, symmetry)``."""

from fractions import Fraction

import torch
from torch import Tensor, nn

from parasym.core import model_params
from parasym.groups import GeneralLinear, Permutation, PositiveScaling, SignFlip, Translation
from parasym.symmetry import Binding, Factor, Shift, Slot, Symmetry, Through, Wire

DUAL = Fraction(-1)


def whole(axis: int, size: int) -> Slot:
    """The slot of a lone wire on the whole of an axis."""
    return Slot(axis, (0,), (size,), (1,), 0)


def shapes(model: nn.Module) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The shape of every parameter and buffer."""
    return tuple((name, tuple(p.shape)) for name, p in model_params(model).items())


def mlp(activation: nn.Module) -> nn.Sequential:
    """An MLP 4-5-3 in float64."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 5), activation, nn.Linear(5, 3)).double()


def hidden(n: int) -> tuple[Binding, ...]:
    """The bindings of the hidden wire of :func:`mlp`."""
    return (Binding("0.weight", whole(0, n)), Binding("0.bias", whole(0, n)), Binding("2.weight", whole(1, n), power=DUAL))


def relu_mlp() -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    """Permutations and positive scalings."""
    model, wire = mlp(nn.ReLU()), Wire("0.weight[0]", 5)
    factors = (Factor(Permutation(5), wire, (), hidden(5)), Factor(PositiveScaling(5), wire, (), hidden(5)))
    return model, (torch.randn(7, 4, dtype=torch.float64),), Symmetry(factors, shapes(model), pinned=("2.bias",))


def tanh_mlp() -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    """Permutations and sign flips."""
    model, wire = mlp(nn.Tanh()), Wire("0.weight[0]", 5)
    factors = (Factor(Permutation(5), wire, (), hidden(5)), Factor(SignFlip(5), wire, (), hidden(5)))
    return model, (torch.randn(7, 4, dtype=torch.float64),), Symmetry(factors, shapes(model))


def linear_mlp() -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    """GL of the hidden wire, and translations of the first bias that the second absorbs through its weight."""
    model, wire = mlp(nn.Identity()), Wire("0.weight[0]", 5)
    shifts = (
        Shift("0.bias", (5,), (0,)),
        Shift("2.bias", (3,), (0,), times=-1.0, through=(Through("2.weight", (5,), (None, 0), (0,)),)),
    )
    factors = (Factor(GeneralLinear(5), wire, (), hidden(5)), Factor(Translation(5), wire, (), shifts))
    return model, (torch.randn(7, 4, dtype=torch.float64),), Symmetry(factors, shapes(model))


class Attention(nn.Module):
    """Two heads of three on six features."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(6, 6) for _ in range(3))
        self.o = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).unflatten(-1, (2, 3)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        return self.o(torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def attention() -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    """Heads permute; per head GL on QK and on VO; key biases and value biases move."""
    torch.manual_seed(2)
    model = Attention().double()
    heads, dims = Wire("heads", 2), Wire("dims", 3)
    outer, inner = (tuple(Slot(a, (0,), (2, 3), (3, 1), place) for a in (0, 1)) for place in (0, 1))

    def bind(tensor: str, axis: int, power: int) -> Binding:
        return Binding(tensor, inner[axis], over=(outer[axis],), power=Fraction(power))

    rows = [Binding(f"{n}.{p}", outer[0]) for n in "qkv" for p in ("weight", "bias")]
    permuted = (*rows, Binding("o.weight", outer[1]))
    qk = (bind("q.weight", 0, 1), bind("q.bias", 0, 1), bind("k.bias", 0, -1), bind("k.weight", 0, -1))
    vo = (bind("v.weight", 0, 1), bind("v.bias", 0, 1), bind("o.weight", 1, -1))
    key_bias = (Shift("k.bias", (6,), (0,)),)
    value_bias = (
        Shift("v.bias", (6,), (0,)),
        Shift("o.bias", (6,), (0,), times=-1.0, through=(Through("o.weight", (6,), (None, 0), (0,)),)),
    )
    factors = (
        Factor(Permutation(2), heads, (), permuted),
        Factor(GeneralLinear(3), dims, (heads,), qk),
        Factor(GeneralLinear(3), dims, (heads,), vo),
        Factor(Translation(6), Wire("k.bias[0]", 6), (), key_bias),
        Factor(Translation(6), Wire("v.bias[0]", 6), (), value_bias),
    )
    return model, (torch.randn(2, 5, 6, dtype=torch.float64),), Symmetry(factors, shapes(model))


def batch_norm() -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    """BatchNorm in eval mode: the running statistics move, the variance by the square."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).double()
    model(torch.randn(50, 4, dtype=torch.float64))
    eps = 1e-5
    wire, rows = Wire("0.weight[0]", 5), whole(0, 5)
    before = tuple(Binding(n, rows) for n in ("0.weight", "0.bias", "1.running_mean"))
    variance = Binding("1.running_var", rows, power=Fraction(2), offset=eps)
    after = (Binding("1.weight", rows), Binding("1.bias", rows), Binding("3.weight", whole(1, 5), power=DUAL))
    factors = (
        Factor(Permutation(5), wire, (), (*before, Binding("1.running_var", rows), *after)),
        Factor(PositiveScaling(5), wire, (), (*before, variance)),
        Factor(PositiveScaling(5), Wire("1.weight[0]", 5), (), after),
        Factor(Translation(5), wire, (), (Shift("0.bias", (5,), (0,)), Shift("1.running_mean", (5,), (0,)))),
    )
    return model.eval(), (torch.randn(7, 4, dtype=torch.float64),), Symmetry(factors, shapes(model))


class TiedEncoder(nn.Module):
    """One linear map used as encoder and, transposed, as decoder; it has two names."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 3, bias=False)
        self.decoder = nn.Linear(3, 4, bias=False)
        self.decoder.weight = nn.Parameter(self.encoder.weight.detach().T)
        self.again = nn.Linear(4, 3, bias=False)
        self.again.weight = self.encoder.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x).tanh() + self.again(x).sin())


def tied() -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    """A tensor under two names moves once."""
    torch.manual_seed(4)
    model, wire = TiedEncoder().double(), Wire("encoder.weight[0]", 3)
    bindings = (Binding("encoder.weight", whole(0, 3)), Binding("decoder.weight", whole(1, 3), power=DUAL))
    factors = (Factor(Permutation(3), wire, (), bindings), Factor(SignFlip(3), wire, (), bindings))
    symmetry = Symmetry(factors, shapes(model), tied=(("again.weight", "encoder.weight"),))
    return model, (torch.randn(7, 4, dtype=torch.float64),), symmetry


CASES = {
    "relu": relu_mlp,
    "tanh": tanh_mlp,
    "linear": linear_mlp,
    "attention": attention,
    "batch norm": batch_norm,
    "tied": tied,
}
