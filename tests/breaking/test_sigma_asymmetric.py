"""FiGLU: no permutation and no diagonal passes, everything around it is found, what cannot be replaced is said."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym import breaking
from parasym.breaking import FiGLU, SigmaAsymmetric, recipe_of
from parasym.breaking.activation_site import activation_sites
from parasym.core import BadInputError
from parasym.find import find
from parasym.functional import Call
from parasym.verify import verify
from parasym.zoo.paper import GraphNet, NormedMLP, resnet8


def break_(*args: Any, **kwargs: Any) -> Any:
    """Return what the verb returns, as a module whose attributes are not declared."""
    return breaking.break_(*args, **kwargs).model


def equivariance_error(unit: FiGLU, left: Tensor, right: Tensor, x: Tensor) -> float:
    """Return how far ``unit(x left)`` is from ``unit(x) right``."""
    return float((unit(x @ left) - unit(x) @ right).abs().max())


def unit(width: int = 4, seed: int = 0) -> FiGLU:
    return FiGLU(width, generator=torch.Generator().manual_seed(seed)).double()


def test_no_permutation_and_no_diagonal_passes():
    g = torch.Generator().manual_seed(1)
    act, x = unit(), 2 * torch.randn(50, 4, generator=g, dtype=torch.float64)
    eye = torch.eye(4, dtype=torch.float64)
    for order in ([1, 0, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0]):
        assert equivariance_error(act, eye[order], eye[order], x) > 1e-2
    for diagonal in ([2.0, 1, 1, 1], [-1.0, 1, 1, 1], [0.5, 0.5, 0.5, 0.5]):
        d = torch.tensor(diagonal, dtype=torch.float64).diag()
        assert equivariance_error(act, d, d, x) > 1e-2
    assert equivariance_error(act, eye, eye, x) == 0


def test_planted_identity_and_ones_let_permutations_pass():
    """Fault: a matrix that treats all channels alike. ``find`` sees equal rows; it misses what needs rows and columns at once."""
    x = torch.randn(50, 4, dtype=torch.float64)
    swap = torch.eye(4, dtype=torch.float64)[[1, 0, 2, 3]]
    for matrix, order in ((torch.ones(4, 4), 24), (2 * torch.eye(4), 1)):
        act = unit()
        act.frozen = matrix.double()
        assert equivariance_error(act, swap, swap, x) < 1e-12
        model = nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 2)).double()
        symmetry = find(model, (torch.zeros(2, 3),))
        assert symmetry.order == order
        assert verify(model, symmetry, (torch.randn(2, 3),)).holds == "yes"


def test_formula_for_features_and_channels():
    features, x = unit(), torch.randn(2, 3, 4, dtype=torch.float64)
    expected = torch.empty_like(x)
    for n in range(2):
        for s in range(3):
            expected[n, s] = torch.sigmoid(features.frozen @ x[n, s]) * x[n, s]
    assert torch.allclose(features(x), expected)
    channels = unit()
    channels.channels = True
    for shape in ((2, 4), (2, 4, 5), (2, 4, 5, 6), (2, 4, 2, 3, 2)):
        y = torch.randn(shape, dtype=torch.float64)
        assert torch.allclose(channels(y).movedim(1, -1), features(y.movedim(1, -1)))


def test_scale():
    act = FiGLU(400, generator=torch.Generator().manual_seed(0))
    assert act.frozen.std().item() == pytest.approx(400**-0.5, rel=0.02)
    assert FiGLU(400, 0.3, generator=torch.Generator().manual_seed(0)).frozen.std().item() == pytest.approx(0.3, rel=0.02)
    assert not list(act.parameters())
    assert list(act.state_dict()) == ["frozen"]
    for std in (0.0, -1.0, float("nan")):
        with pytest.raises(BadInputError, match="`std`"):
            FiGLU(3, std)
    with pytest.raises(BadInputError, match="`width`"):
        FiGLU(0)


def images() -> tuple[Tensor, ...]:
    return (torch.randn(2, 3, 8, 8),)


def test_widths_and_axes_are_found():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(2), nn.Linear(36, 5), nn.GELU(), nn.Flatten(), nn.Linear(20, 2)
    )
    broken = break_(model, SigmaAsymmetric(), images())
    assert (broken[1].width, broken[1].channels) == (4, True)
    assert (broken[4].width, broken[4].channels) == (5, False)
    turned = break_(model, SigmaAsymmetric(channels={"4": True}), images())
    assert (turned[4].width, turned[4].channels) == (4, True)
    assert broken(*images()).shape == (2, 2)
    sequence = nn.Sequential(nn.Conv1d(3, 4, 3), nn.SiLU())
    assert break_(sequence, SigmaAsymmetric(), torch.randn(2, 3, 9))[1].channels
    tokens = nn.Sequential(nn.Embedding(7, 4), nn.LayerNorm(4), nn.Tanh())
    assert not break_(tokens, SigmaAsymmetric(), torch.zeros(2, 5, dtype=torch.long))[2].channels


def test_the_networks_of_the_paper():
    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    for model, inputs, sites in (
        (NormedMLP(6, 3, 5), (torch.randn(2, 5),), 3),
        (resnet8(0.25), images(), 7),
        (GraphNet(6, 3, 4), (torch.randn(3, 4), edges), 3),
    ):
        broken = break_(model, SigmaAsymmetric(), inputs)
        assert sum(isinstance(m, FiGLU) for m in broken.modules()) == sites
        assert not any(isinstance(m, nn.ReLU | nn.GELU) for m in broken.modules())
        assert sum(p.numel() for p in broken.parameters()) == sum(p.numel() for p in model.parameters())
        assert broken(*inputs).shape == model(*inputs).shape


def test_the_given_model_and_its_statistics_are_unchanged():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU()).train()
    before = deepcopy(model.state_dict())
    broken = break_(model, SigmaAsymmetric(), torch.randn(6, 3))
    assert isinstance(model[2], nn.ReLU)
    for m in (model, broken):
        assert all(torch.equal(m.state_dict()[k], v) for k, v in before.items())
    assert not broken[2]._forward_hooks
    assert not broken[0]._forward_pre_hooks


def test_matrices_depend_on_path_and_seed():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU())
    x = torch.randn(2, 3)
    a, same, other = (break_(model, SigmaAsymmetric(seed=seed), x) for seed in (0, 0, 1))
    assert torch.equal(a[1].frozen, same[1].frozen)
    assert not torch.equal(a[1].frozen, a[3].frozen)
    assert not torch.equal(a[1].frozen, other[1].frozen)


def test_std_by_pattern():
    model = nn.Sequential(nn.Linear(3, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU())
    broken = break_(model, SigmaAsymmetric(std={"1": 2.0}), torch.randn(2, 3))
    assert broken[1].frozen.std().item() == pytest.approx(2.0, rel=0.02)
    assert broken[3].frozen.std().item() == pytest.approx(0.05, rel=0.02)
    with pytest.raises(BadInputError, match="no layer matches"):
        break_(model, SigmaAsymmetric(std={"2": 2.0}), torch.randn(2, 3))


class Functional(nn.Module):
    """Activations called as functions, in two ways, and a rotary table, which is none."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.act = nn.Linear(3, 4), nn.Linear(4, 4), nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        angle = torch.arange(4.0)
        return functional.gelu(self.second(self.act(self.first(x)).relu())) * angle.cos() + angle.sin()


def test_functions_are_not_left_silently():
    with pytest.raises(
        BadInputError, match=r"as functions, which cannot be replaced: relu in the model, gelu in the model. Make"
    ):
        break_(Functional(), SigmaAsymmetric(), torch.randn(2, 3))
    broken = break_(Functional(), SigmaAsymmetric(functional="leave"), torch.randn(2, 3))
    assert isinstance(broken.act, FiGLU)
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()
    with pytest.raises(BadInputError, match="relu in the model"):
        break_(layer, SigmaAsymmetric(), torch.randn(2, 3, 4))


class Several(nn.Module):
    """One activation module in two places, of one width or of two."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.b, self.act = nn.Linear(3, 4), nn.Linear(4, width), nn.ReLU()
        self.again = self.act

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.b(self.act(self.a(x))))


def test_shared_activations():
    broken = break_(Several(4), SigmaAsymmetric(), torch.randn(2, 3))
    assert broken.act is broken.again
    assert isinstance(broken.act, FiGLU)
    with pytest.raises(BadInputError, match=r"several widths \(4, 5\)"):
        break_(Several(5), SigmaAsymmetric(), torch.randn(2, 3))


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.ReLU()), None, "`inputs` is needed"),
        (nn.Sequential(nn.Linear(3, 2)), torch.zeros(2, 3), "no activation to replace"),
        (nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.zeros(2, 4), "does not fit: the model raises RuntimeError"),
        (nn.ReLU(), torch.zeros(2, 4), "is a ReLU itself"),
    ],
)
def test_what_cannot_be_broken(model: nn.Module, inputs: Tensor | None, message: str):
    with pytest.raises(BadInputError, match=message):
        break_(model, SigmaAsymmetric(), inputs)


def test_an_activation_that_is_not_reached_is_an_error():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    model[0].register_module("spare", nn.ReLU())
    with pytest.raises(BadInputError, match=r"`0.spare` was not called"):
        break_(model, SigmaAsymmetric(), torch.zeros(2, 3))


def test_unknown_activations_are_named():
    with pytest.raises(BadInputError, match=r"\['Softmax'\]. Known are ReLU, LeakyReLU"):
        SigmaAsymmetric(replace=("ReLU", "Softmax"))
    with pytest.raises(BadInputError, match="must be a tuple"):
        SigmaAsymmetric(replace="ReLU")  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInputError, match="'error' or 'leave'"):
        SigmaAsymmetric(functional="ignore")


class Snake(nn.Module):
    """An activation of one's own: of a class that torch does not know, made of functions that it does."""

    def __init__(self, rate: float = 1.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.rate * x).sin().square() / self.rate


@pytest.mark.parametrize("named", [Snake, "Snake"])
def test_activations_of_ones_own(named: Any):
    model = nn.Sequential(nn.Linear(3, 4), Snake(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    x = torch.randn(2, 3)
    with pytest.raises(BadInputError, match=r"sin in `1`.* replaced as a whole if `replace` names them"):
        break_(model, SigmaAsymmetric(), x)
    result = breaking.break_(model, SigmaAsymmetric(replace=("ReLU", named)), x)
    assert [one.name for one in result.report.broken] == ["1", "3"]
    assert result.report.broken[0].what.endswith("in place of Snake")
    assert find(model, x).order == 24 * 120
    assert find(result.model, x).order == 1
    again = breaking.break_(model, recipe_of(result.model)).model
    again.load_state_dict(result.model.state_dict())
    assert torch.equal(again(x), result.model(x))


def test_an_activation_that_is_not_in_the_model():
    with pytest.raises(BadInputError, match=r"names Snail, but no module of the model has such a type. It has Linear, ReLU, Seq"):
        break_(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), SigmaAsymmetric(replace=("Snail",)), torch.zeros(2, 3))


def test_only_what_is_asked_for():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.GELU())
    broken = break_(model, SigmaAsymmetric(replace=("GELU",)), torch.randn(2, 3))
    assert isinstance(broken[1], nn.ReLU)
    assert isinstance(broken[3], FiGLU)


def test_vmap_compile_and_casts():
    model = break_(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), SigmaAsymmetric(), torch.randn(2, 3))
    x = torch.randn(2, 3)
    params, buffers = torch.func.stack_module_state([model, deepcopy(model)])
    out = torch.vmap(lambda p, b: torch.func.functional_call(model, (p, b), (x,)))(params, buffers)
    assert torch.allclose(out[0], model(x), atol=1e-6)
    assert torch.allclose(torch.compile(model, backend="aot_eager", fullgraph=True)(x), model(x), atol=1e-6)
    assert model.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_functions_inside_of_torch_s_own_fast_path_are_seen(activation: str):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation=activation)
    for model, place in ((layer, "the model"), (nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), "`layers.0`")):
        sites = activation_sites(model.eval(), Call((torch.randn(3, 4, 8),)), (nn.Tanh,))
        assert sites.functional == [f"{activation} in {place}"]
    assert torch.backends.mha.get_fastpath_enabled()
