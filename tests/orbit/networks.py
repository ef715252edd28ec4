"""Small networks with symmetries written by hand, so that matching is tested without `find`."""

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor, nn

from parasym.core import Params
from parasym.groups import GeneralLinear, Orthogonal, Permutation, PlaneRotation, PositiveScaling, SignFlip, Translation
from parasym.symmetry import Binding, Factor, Shift, Slot, Symmetry, Through, Wire


def whole(name: str, axis: int, size: int, power: int = 1, offset: float = 0.0) -> Binding:
    return Binding(name, Slot.whole(axis, size), power=Fraction(power), offset=offset)


def chain(names: list[str], sizes: list[int], groups: tuple[type, ...], *, bias: bool = True) -> tuple[Factor, ...]:
    """Factors of a chain of linear layers: every hidden wire with the given groups."""
    out = []
    for k in range(len(names) - 1):
        n = sizes[k + 1]
        wire = Wire(f"{names[k]}.weight[0]", n)
        places = [whole(f"{names[k]}.weight", 0, n), *([whole(f"{names[k]}.bias", 0, n)] if bias else [])]
        places.append(whole(f"{names[k + 1]}.weight", 1, n, -1))
        out += [Factor(group(n), wire, (), tuple(places)) for group in groups]
    return tuple(out)


@dataclass(frozen=True)
class Case:
    name: str
    model: nn.Module
    symmetry: Symmetry
    inputs: Tensor

    def params(self, seed: int) -> Params:
        g = torch.Generator().manual_seed(seed)
        out = {k: v.detach() for k, v in (*self.model.named_parameters(), *self.model.named_buffers())}
        for name, x in out.items():
            if x.is_floating_point():
                fresh = torch.randn(x.shape, generator=g, dtype=torch.float64) / (x.shape[-1] ** 0.5 if x.ndim > 1 else 1)
                out[name] = fresh.abs() + 0.5 if name.endswith("var") else fresh
        return out

    def outputs(self, params: Params) -> Tensor:
        return torch.func.functional_call(self.model, params, (self.inputs,))


def shapes(model: nn.Module) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((k, tuple(v.shape)) for k, v in (*model.named_parameters(), *model.named_buffers()))


def mlp(sizes: list[int], activation: type[nn.Module], groups: tuple[type, ...]) -> Case:
    layers: list[nn.Module] = []
    for k in range(len(sizes) - 1):
        layers += [nn.Linear(sizes[k], sizes[k + 1]), activation()]
    model = nn.Sequential(*layers[:-1]).double()
    names = [str(2 * k) for k in range(len(sizes) - 1)]
    inputs = torch.randn(7, sizes[0], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Case(activation.__name__, model, Symmetry(chain(names, sizes, groups), shapes(model)), inputs)


def relu_mlp(sizes: list[int] | None = None) -> Case:
    return mlp(sizes or [4, 6, 5, 3], nn.ReLU, (Permutation, PositiveScaling))


def tanh_mlp(sizes: list[int] | None = None) -> Case:
    return mlp(sizes or [4, 6, 5, 3], nn.Tanh, (Permutation, SignFlip))


def gelu_mlp(sizes: list[int] | None = None) -> Case:
    return mlp(sizes or [4, 6, 5, 3], nn.GELU, (Permutation,))


def linear_mlp(sizes: list[int] | None = None) -> Case:
    """A linear network with translations of the hidden biases."""
    sizes = sizes or [6, 4, 5, 6]
    case = mlp(sizes, nn.Identity, (GeneralLinear,))
    shifts = []
    for k in range(len(sizes) - 2):
        n = sizes[k + 1]
        through = Through(f"{2 * k + 2}.weight", (n,), (None, 0), (0,))
        places = (Shift(f"{2 * k}.bias", (n,), (0,)), Shift(f"{2 * k + 2}.bias", (sizes[k + 2],), (0,), -1, through=(through,)))
        shifts.append(Factor(Translation(n), Wire(f"{2 * k}.bias", n), (), places))
    return Case("linear", case.model, Symmetry((*case.symmetry.factors, *shifts), case.symmetry.shapes), case.inputs)


class Attention(nn.Module):
    """Self-attention without bias between two pinned axes."""

    def __init__(self, width: int, heads: int, dim: int, out: int) -> None:
        super().__init__()
        self.heads, self.dim = heads, dim
        self.q, self.k, self.v = (nn.Linear(width, heads * dim, bias=False) for _ in range(3))
        self.o = nn.Linear(heads * dim, out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (self.heads, self.dim)).transpose(-2, -3) for f in (self.q, self.k, self.v))
        mixed = torch.softmax(q @ k.mT / self.dim**0.5, -1) @ v
        return self.o(mixed.transpose(-2, -3).flatten(-2))


def attention(heads: int = 3, dim: int = 2, *, inner: type = GeneralLinear) -> Case:
    model = Attention(6, heads, dim, 5).double()

    def slot(axis: int, place: int) -> Slot:
        return Slot(axis, (0,), (heads, dim), (dim, 1), place)

    def inside(name: str, axis: int, power: int = 1) -> Binding:
        return Binding(name, slot(axis, 1), (slot(axis, 0),), power=Fraction(power))

    head = Wire("q.weight[0].head", heads)
    tops = tuple(Binding(f"{n}.weight", slot(int(n == "o"), 0), power=Fraction(-1 if n == "o" else 1)) for n in "qkvo")
    factors = (
        Factor(Permutation(heads), head, (), tops),
        Factor(inner(dim), Wire("q.weight[0].dim", dim), (head,), (inside("q.weight", 0), inside("k.weight", 0, -1))),
        Factor(inner(dim), Wire("v.weight[0].dim", dim), (head,), (inside("v.weight", 0), inside("o.weight", 1, -1))),
    )
    inputs = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Case("attention", model, Symmetry(factors, shapes(model)), inputs)


def rotary(heads: int = 2, planes: int = 2) -> Case:
    """The query-key part of rotary attention, as parameters only: planes per head on queries and, dually, keys."""
    case = attention(heads, 2 * planes)
    head = case.symmetry.factors[0].wire

    def inside(name: str, power: int) -> Binding:
        own = Slot(0, (0, planes), (heads, planes), (2 * planes, 1), 1)
        return Binding(name, own, (Slot(0, (0, planes), (heads, planes), (2 * planes, 1), 0),), power=Fraction(power))

    wire = Wire("q.weight[0].plane", planes)
    plane = Factor(PlaneRotation(planes), wire, (head,), (inside("q.weight", 1), inside("k.weight", -1)))
    return Case(
        "rotary",
        case.model,
        Symmetry((case.symmetry.factors[0], plane, case.symmetry.factors[2]), case.symmetry.shapes),
        case.inputs,
    )


def batchnorm_cnn(channels: int = 6) -> Case:
    """Convolution, BatchNorm (eval), ReLU, convolution, mean: scales before and after, a shift of the bias before."""
    model = nn.Sequential(
        nn.Conv2d(2, channels, 3),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, 4, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ).double()
    model.eval()
    n, wire = channels, Wire("0.weight[0]", channels)
    names = ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var")
    before = (
        whole("0.weight", 0, n),
        whole("0.bias", 0, n),
        whole("1.running_mean", 0, n),
        whole("1.running_var", 0, n, 2, 1e-5),
    )
    after = (whole("1.weight", 0, n), whole("1.bias", 0, n), whole("3.weight", 1, n, -1))
    factors = (
        Factor(Permutation(n), wire, (), (*(whole(x, 0, n) for x in names), whole("3.weight", 1, n, -1))),
        Factor(PositiveScaling(n), wire, (), before),
        Factor(PositiveScaling(n), Wire("1.weight[0]", n), (), after),
        Factor(Translation(n), Wire("0.bias", n), (), (Shift("0.bias", (n,), (0,)), Shift("1.running_mean", (n,), (0,)))),
    )
    inputs = torch.randn(3, 2, 7, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Case("batchnorm", model, Symmetry(factors, shapes(model)), inputs)


def experts(count: int = 3, hidden: int = 4) -> Case:
    """A sum of exchangeable experts, each with its own permutation of hidden units, stored in two tensors."""

    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Parameter(torch.zeros(count, hidden, 5))
            self.down = nn.Parameter(torch.zeros(count, 2, hidden))

        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("eoh,beh->bo", self.down, torch.tanh(torch.einsum("ehi,bi->beh", self.up, x)))

    model = Experts().double()
    top, wire = Wire("up[0]", count), Wire("up[1]", hidden)
    outer = (Slot.whole(0, count),)
    inside = (
        Binding("up", Slot.whole(1, hidden), outer),
        Binding("down", Slot.whole(2, hidden), outer, power=Fraction(-1)),
    )
    factors = (
        Factor(Permutation(count), top, (), (whole("up", 0, count), whole("down", 0, count))),
        Factor(Permutation(hidden), wire, (top,), inside),
        Factor(SignFlip(hidden), wire, (top,), inside),
    )
    inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Case("experts", model, Symmetry(factors, shapes(model)), inputs)


def rms_stack() -> Case:
    """Two linear maps around root-mean-square normalization without gain: rotations of the wire between them."""

    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(5, 4, bias=False), nn.Linear(4, 3, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(nn.functional.rms_norm(self.a(x), (4,)))

    model = Stack().double()
    places = (whole("a.weight", 0, 4), whole("b.weight", 1, 4, -1))
    inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Case("rms", model, Symmetry((Factor(Orthogonal(4), Wire("a.weight[0]", 4), (), places),), shapes(model)), inputs)


CASES = (relu_mlp, tanh_mlp, gelu_mlp, linear_mlp, attention, rotary, batchnorm_cnn, experts, rms_stack)
