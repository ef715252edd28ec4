"""The algebra of a wire, discovered from gradients, against what must be there."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError
from parasym.find import find
from parasym.groups import GeneralLinear, Permutation, PlaneRotation, PositiveScaling, Translation
from parasym.symmetry import Binding, Factor, Shift, Slot, Wire
from parasym.verify import interface_algebra, lie_algebra
from tests.verify.claims import factor, hidden
from tests.verify.reference_models import REFERENCES, Attention, SwiGLU, mlp


@pytest.mark.parametrize(
    ("activation", "dimension", "diagonal"),
    [
        (nn.ReLU, 6, True),
        (nn.LeakyReLU, 6, True),
        (nn.Identity, 36, False),
        (nn.Tanh, 0, True),
        (nn.GELU, 0, True),
        (nn.SiLU, 0, True),
        (nn.Sigmoid, 0, True),
    ],
)
def test_activations(activation: Callable[[], nn.Module], dimension: int, diagonal: bool) -> None:
    torch.manual_seed(0)
    model, wire = mlp(5, 6, 3, activation=activation), factor(Permutation(6), *hidden("0", "2"))
    found = interface_algebra(model, wire, (torch.randn(8, 5),))
    assert (found.dimension, found.diagonal, found.trustworthy) == (dimension, diagonal, True)
    assert found.basis.shape == (dimension, 6, 6)


def test_forgotten_dual_leaves_nothing() -> None:
    """Fault: with the columns moved the wrong way not even scalings remain."""
    torch.manual_seed(0)
    wire = factor(PositiveScaling(6), *hidden("0", "2")[:2], ("2.weight", 1, 1))
    assert interface_algebra(mlp(5, 6, 3), wire, (torch.randn(8, 5),)).dimension == 0


def test_forgotten_bias_leaves_nothing() -> None:
    torch.manual_seed(0)
    wire = factor(PositiveScaling(6), hidden("0", "2")[0], hidden("0", "2")[2])
    assert interface_algebra(mlp(5, 6, 3), wire, (torch.randn(8, 5),)).dimension == 0


def test_up_branch_of_swiglu() -> None:
    torch.manual_seed(0)
    up, gate = (factor(Permutation(6), (f"{name}.weight", 0, 1), ("down.weight", 1, -1)) for name in ("up", "gate"))
    assert interface_algebra(SwiGLU(), up, (torch.randn(8, 4),)).dimension == 6
    assert interface_algebra(SwiGLU(), gate, (torch.randn(8, 4),)).dimension == 0


def per_head(group: PlaneRotation | GeneralLinear, heads: int, dim: int, *places: tuple[str, int, int]) -> Factor:
    """Return a factor with its own element in every head."""
    starts, size = ((0, dim // 2), dim // 2) if isinstance(group, PlaneRotation) else ((0,), dim)
    bindings = tuple(
        Binding(
            tensor,
            Slot(axis, starts, (heads, size), (dim, 1), 1),
            over=(Slot(axis, starts, (heads, size), (dim, 1), 0),),
            power=power,  # pyright: ignore
        )
        for tensor, axis, power in places
    )
    return Factor(group, Wire("dim", group.size), (Wire("heads", heads),), bindings)


def test_heads_of_attention() -> None:
    torch.manual_seed(0)
    model, x = Attention(heads=2, dim=3), (torch.randn(2, 4, 6),)
    for places in ((("q.weight", 0, 1), ("k.weight", 0, -1)), (("v.weight", 0, 1), ("o.weight", 1, -1))):
        found = interface_algebra(model, per_head(GeneralLinear(3), 2, 3, *places), x)
        assert (found.dimension, found.basis.shape, found.diagonal) == (18, (18, 2, 3, 3), False)


def test_rotary_planes() -> None:
    """Of all 16 matrices per head only rotation and scale of each of two planes remain."""
    torch.manual_seed(0)
    model = Attention(heads=2, dim=4, rope=True)
    wire = per_head(PlaneRotation(2), 2, 4, ("q.weight", 0, 1), ("k.weight", 0, -1))
    found = interface_algebra(model, wire, (torch.randn(2, 5, 6),))
    assert found.dimension == 8


def test_batch_norm_statistics_scale_by_powers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).eval()
    places = (("0.weight", 0, 1), ("0.bias", 0, 1), ("1.running_mean", 0, 1), ("1.running_var", 0, 2))
    good = factor(PositiveScaling(5), *places, offsets={"1.running_var": model.get_submodule("1").eps})  # pyright: ignore
    assert interface_algebra(model, good, (torch.randn(8, 4),)).dimension == 5
    assert interface_algebra(model, factor(PositiveScaling(5), *places), (torch.randn(8, 4),)).dimension == 0
    assert interface_algebra(model, factor(PositiveScaling(5), *places[:3]), (torch.randn(8, 4),)).dimension == 0


class TwoLosses(nn.Module):
    """ReLU on half of the units, tanh on the others."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, k = self.a(x).chunk(2, dim=-1)
        return self.b(torch.cat((h.relu(), k.tanh()), dim=-1))


def test_mixed_wire() -> None:
    torch.manual_seed(0)
    found = interface_algebra(TwoLosses(), factor(Permutation(6), *hidden("a", "b")), (torch.randn(8, 5),))
    assert (found.dimension, found.diagonal) == (3, True)
    assert float(found.basis[:, 3:, 3:].abs().max()) < 1e-10


def test_bad_factors() -> None:
    model, x = mlp(5, 60, 3), (torch.randn(8, 5),)
    shift = Factor(Translation(60), Wire("0.bias[0]", 60), (), (Shift("0.bias", (60,), (0,)),))
    wide = factor(Permutation(60), *hidden("0", "2"))
    with pytest.raises(BadInputError, match="translation"):
        interface_algebra(model, shift, x)
    with pytest.raises(BadInputError, match="diagonal_only"):
        interface_algebra(model, wide, x)
    assert interface_algebra(model, wide, x, diagonal_only=True).dimension == 60


@pytest.mark.parametrize("name", ["relu 4-5-6-3", "linear 4-5-6-3", "attention", "batch statistics", "swiglu", "rope"])
def test_found_factors_lie_in_the_algebra(name: str) -> None:
    """What `find` derives from rules, against what gradients show on the same wires."""
    torch.manual_seed(0)
    reference = next(r for r in REFERENCES if r.name == name)
    model, x = reference.build(), torch.randn(reference.shape)
    groups = (PositiveScaling, GeneralLinear, PlaneRotation)
    factors = [f for f in find(model, (x,)).factors if isinstance(f.group, groups)]
    assert factors
    for found in factors:
        algebra = interface_algebra(model, found, (x,))
        assert algebra.dimension == found.dimension, found.wire.name
        assert algebra.diagonal == isinstance(found.group, PositiveScaling)


def test_as_many_unknowns_as_there_may_be(monkeypatch: pytest.MonkeyPatch):
    model = nn.Sequential(nn.Linear(5, 6), nn.Identity(), nn.Linear(6, 3))
    wire = next(f for f in find(model, torch.zeros(1, 5)).factors if f.group.label == "GL(6)")
    monkeypatch.setattr(lie_algebra, "MOST_UNKNOWNS", 36)
    assert interface_algebra(model, wire, (torch.randn(8, 5),)).dimension == 36
    monkeypatch.setattr(lie_algebra, "MOST_UNKNOWNS", 35)
    with pytest.raises(BadInputError, match=r"at most 35 unknowns, but .* has 36"):
        interface_algebra(model, wire, (torch.randn(8, 5),))
    assert interface_algebra(model, wire, (torch.randn(8, 5),), diagonal_only=True).dimension == 6
