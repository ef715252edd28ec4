"""Frozen entries: constants that no gradient, decay or momentum moves, in every kind of layer and every way to call it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from parasym import breaking
from parasym.breaking import (
    PRESETS,
    FrozenEntries,
    WAsymmetric,
    load_trainable_vector_,
    preset,
    trainable_count,
    trainable_masks,
    trainable_vector,
)
from parasym.breaking.amount import value_for
from parasym.breaking.site import module_sites
from parasym.core import BadInputError
from parasym.zoo.paper import GraphNet, NormedMLP, resnet8, resnet20


def break_(*args: Any, **kwargs: Any) -> Any:
    """Return what the verb returns, as a module whose attributes are not declared."""
    return breaking.break_(*args, **kwargs).model


COUNTS = {
    "mlp": (NormedMLP, 935_434, 834_570),
    "resnet20": (resnet20, 272_474, 230_026),
    "resnet20x8": (lambda: resnet20(8), 17_289_866, 16_273_946),
    "graph": (GraphNet, 176_424, 171_576),
    "resnet8": (resnet8, 78_042, 60_634),
}
"""Section 6 of the acceptance list: plain and W-asymmetric."""

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 4), (3, 6)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3), (2, 4, 7)),
    "conv2d": (lambda: nn.Conv2d(4, 6, 3, stride=2, dilation=2), (2, 4, 9, 9)),
    "conv3d": (lambda: nn.Conv3d(2, 4, 2), (2, 2, 4, 4, 4)),
    "grouped": (lambda: nn.Conv2d(6, 9, 3, groups=3), (2, 6, 5, 5)),
    "depthwise": (lambda: nn.Conv2d(6, 6, 3, groups=6), (2, 6, 5, 5)),
    "transposed1d": (lambda: nn.ConvTranspose1d(4, 6, 3), (2, 4, 5)),
    "transposed2d": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), (2, 4, 5, 5)),
    "transposed3d": (lambda: nn.ConvTranspose3d(3, 4, 2), (2, 3, 3, 3, 3)),
}


def frozen_of(model: Any, name: str = "weight") -> FrozenEntries:
    return model.parametrizations[name][0]


def broken_mlp() -> Any:
    model = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3))
    return break_(model, WAsymmetric(frozen=2))


def effective(model: Any) -> list[Tensor]:
    return [m.weight.detach().clone() for m in model.modules() if parametrize.is_parametrized(m)]


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "resnet20x8"])
def test_counts_of_the_paper(name: str, recwarn: pytest.WarningsRecorder):
    build, plain, trained = COUNTS[name]
    model = build()
    assert trainable_count(model) == sum(p.numel() for p in model.parameters()) == plain
    assert trainable_count(break_(model, preset(name))) == trained
    assert [str(w.message)[:30] for w in recwarn] == (["`stem` is frozen as a whole: a"] if name == "resnet8" else [])


def test_counts_of_the_wide_network():
    """The widest by arithmetic on its shapes, without its seventeen million numbers."""
    with torch.device("meta"):
        model = resnet20(8)
    assert sum(p.numel() for p in model.parameters()) == COUNTS["resnet20x8"][1]
    amounts = PRESETS["resnet20x8"]
    frozen = 0
    for site in module_sites(model):
        frozen += sum(block.rows * int(value_for(amounts.frozen, block.path, otherwise=0)) for block in site.blocks)
    assert COUNTS["resnet20x8"][1] - frozen == COUNTS["resnet20x8"][2]


def test_an_unknown_preset_is_an_error():
    with pytest.raises(BadInputError, match="one of mlp, resnet20"):
        preset("vgg")


@pytest.mark.parametrize("unit", ["entry", "filter"])
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name: str, unit: Any):
    build, shape = LAYERS[name]
    torch.manual_seed(0)
    layer: Any = build().double()
    narrow = unit == "filter" and name in ("grouped", "depthwise", "conv3d", "transposed2d", "transposed3d")
    if narrow:  # too few input channels for the filters to differ
        with pytest.raises(BadInputError, match=r"too narrow for distinct rows|rows have only one place"):
            break_(layer, WAsymmetric(frozen=0.5, unit=unit))
        return
    broken = break_(layer, WAsymmetric(frozen=0.5, unit=unit))
    one, weight = frozen_of(broken), broken.weight
    assert isinstance(weight, Tensor)
    assert weight.shape == layer.weight.shape
    assert torch.equal(weight[one.mask], layer.weight[one.mask])
    assert torch.equal(weight[~one.mask], one.frozen[~one.mask])
    x = torch.randn(shape, dtype=torch.float64)
    assert broken(x).shape == layer(x).shape
    by_output = rows_by_gradient(layer, x)
    rows = torch.stack([one.mask[places] for places in by_output])
    assert len(torch.unique(rows, dim=0)) == len(rows)  # no two output channels have the same mask
    assert len({int(r) for r in (~rows).sum(1)}) == 1


def rows_by_gradient(layer: Any, x: Tensor) -> list[Tensor]:
    """Return for every output channel which entries it reads, found without knowing the layout."""
    out = layer(x)
    axis = 1
    places = []
    for channel in range(out.shape[axis]):
        (grad,) = torch.autograd.grad(out.select(axis, channel).sum(), layer.weight, retain_graph=True)
        places.append(grad != 0)
    return places


def test_filters_are_frozen_whole():
    one = frozen_of(break_(nn.Conv2d(8, 6, 3), WAsymmetric(frozen=3, unit="filter")))
    flat = one.mask.flatten(2)
    assert (flat.all(2) | ~flat.any(2)).all()
    assert ((~flat.any(2)).sum(1) == 3).all()
    entries = frozen_of(break_(nn.Conv2d(8, 6, 3), WAsymmetric(frozen=27))).mask.flatten(2)
    assert not (entries.all(2) | ~entries.any(2)).all()


def test_the_given_model_is_unchanged_and_not_shared():
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    before = deepcopy(model.state_dict())
    broken = break_(model, WAsymmetric(frozen=2, init="kaiming"))
    with torch.no_grad():
        for p in broken.parameters():
            p.add_(1)
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(model.state_dict()[k], v) for k, v in before.items())
    assert not any(parametrize.is_parametrized(m) for m in model.modules())


class Leaking(FrozenEntries):
    """Fault: frozen entries are only a starting point, as with a mask that is applied once."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.frozen * (weight == 0)


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.9, weight_decay=0.1),
}


def steps(model: nn.Module, optimizer: str) -> None:
    generator = torch.Generator().manual_seed(0)
    run = OPTIMIZERS[optimizer](list(model.parameters()))
    for _ in range(5):
        run.zero_grad()
        model(torch.randn(8, 4, generator=generator)).square().sum().backward()
        run.step()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_optimizer_moves_frozen_entries(optimizer: str):
    model = broken_mlp()
    before = effective(model)
    steps(model, optimizer)
    for layer, old in zip((model[0], model[3]), before, strict=True):
        one = frozen_of(layer)
        assert torch.equal(layer.weight[~one.mask], old[~one.mask])
        assert (layer.weight[one.mask] != old[one.mask]).all()
        assert (layer.parametrizations.weight.original.grad[~one.mask] == 0).all()


def test_planted_leak_is_seen():
    model: Any = nn.Linear(4, 3)
    one = frozen_of(break_(model, WAsymmetric(frozen=2)))
    parametrize.register_parametrization(model, "weight", Leaking(one.mask, one.frozen))
    before = model.weight.detach().clone()
    steps(model, "adamw")
    assert not torch.equal(model.weight[~one.mask], before[~one.mask])


def test_the_gradient_is_zero_whatever_is_stored():
    model = break_(nn.Linear(4, 3), WAsymmetric(frozen=2))
    one, original = frozen_of(model), model.parametrizations.weight.original
    with torch.no_grad():
        original.fill_(float("inf")).masked_fill_(one.mask, 0.5)
    model(torch.randn(5, 4)).sum().backward()
    assert (original.grad[~one.mask] == 0).all()
    assert torch.isfinite(original.grad).all()
    assert (original.grad[one.mask] != 0).all()


def test_deepcopy_keeps_entries_frozen():
    copy = deepcopy(broken_mlp())
    before = effective(copy)
    steps(copy, "adamw")
    for layer, old in zip((copy[0], copy[3]), before, strict=True):
        assert torch.equal(layer.weight[~frozen_of(layer).mask], old[~frozen_of(layer).mask])


def test_vmap_over_a_stack_is_a_loop():
    models = []
    for seed in range(3):
        torch.manual_seed(seed)
        models.append(broken_mlp())
    params, buffers = torch.func.stack_module_state(models)
    x = torch.randn(6, 4)

    def loss(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(models[0], (p, b), (x,)).square().sum()

    grads = torch.vmap(torch.func.grad(loss))(params, buffers)
    for k, model in enumerate(models):
        model.zero_grad()
        model(x).square().sum().backward()
        for name, p in model.named_parameters():
            assert p.grad is not None
            assert torch.allclose(grads[name][k], p.grad, atol=1e-5), name
    one = frozen_of(models[0][0])
    assert (grads["0.weight"][:, ~one.mask] == 0).all()


def test_compile_sees_through():
    model = broken_mlp()
    x = torch.randn(6, 4)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(x), model(x), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_casts(dtype: torch.dtype):
    model = broken_mlp()
    exact = model(x := torch.randn(6, 4))
    out = model.to(dtype)(x.to(dtype))
    assert out.dtype == dtype
    assert torch.allclose(out.float(), exact, atol=0.1)
    assert frozen_of(model[0]).mask.dtype == torch.bool


def test_autocast():
    model = broken_mlp()
    with torch.autocast("cpu", torch.bfloat16):
        out = model(torch.randn(6, 4))
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    original = model[0].parametrizations.weight.original
    assert original.grad.dtype == torch.float32
    assert (original.grad[~frozen_of(model[0]).mask] == 0).all()


@pytest.mark.parametrize("wide", [False, True])
def test_attention(wide: bool):
    torch.manual_seed(0)
    model = nn.MultiheadAttention(6, 2, batch_first=True, kdim=5 if wide else None, vdim=4 if wide else None)
    broken = break_(model, WAsymmetric(frozen=2))
    names = ("q_proj_weight", "k_proj_weight", "v_proj_weight") if wide else ("in_proj_weight",)
    for name in names:
        assert ((~frozen_of(broken, name).mask).sum(1) == 2).all()
    if not wide:
        blocks = frozen_of(broken, "in_proj_weight").mask.split(6)
        assert all(len(torch.unique(block, dim=0)) == 6 for block in blocks)
        assert not torch.equal(blocks[0], blocks[1])
    assert parametrize.is_parametrized(broken.out_proj, "weight")
    x, k, v = torch.randn(2, 3, 6), torch.randn(2, 4, 5 if wide else 6), torch.randn(2, 4, 4 if wide else 6)
    out = broken(x, k, v)[0]
    out.square().sum().backward()
    for name in names:
        one = frozen_of(broken, name)
        grad = broken.parametrizations[name].original.grad
        assert (grad[~one.mask] == 0).all()
    with torch.no_grad():  # the fused kernel of inference
        assert torch.allclose(broken.eval()(x, k, v, need_weights=False)[0], out, atol=1e-5)


def test_a_block_of_attention_can_be_left_out():
    broken = break_(nn.MultiheadAttention(6, 2), WAsymmetric(frozen={"k_proj": 0, "*": 2}))
    q, k, v = frozen_of(broken, "in_proj_weight").mask.split(6)
    assert k.all()
    assert not q.all()
    assert not v.all()


class Tied(nn.Module):
    """An embedding that is also the head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 5), nn.Linear(5, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x).tanh())


def test_ties_stay_tied():
    model = break_(Tied(), WAsymmetric(frozen=2))
    assert torch.equal(model.embed.weight, model.head.weight)
    assert trainable_count(model) == 5 * (7 - 2)
    steps_before = model.embed.weight.detach().clone()
    run = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    model(torch.arange(7)).square().sum().backward()
    run.step()
    assert torch.equal(model.embed.weight, model.head.weight)
    assert not torch.equal(model.embed.weight, steps_before)


def test_init_keeps_or_draws():
    model = nn.Linear(100, 50)
    with torch.no_grad():
        model.weight.fill_(7.0)
    kept = break_(model, WAsymmetric(frozen=10))
    assert (kept.weight[frozen_of(kept).mask] == 7).all()
    g = torch.Generator()
    drawn, same = (break_(model, WAsymmetric(frozen=10, init="kaiming"), generator=g.manual_seed(1)) for _ in range(2))
    other = break_(model, WAsymmetric(frozen=10, init="kaiming"), generator=g.manual_seed(2))
    free = drawn.weight[frozen_of(drawn).mask]
    assert free.abs().max() <= 0.1
    assert free.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.05)
    assert torch.equal(drawn.weight, same.weight)
    assert not torch.equal(drawn.weight, other.weight)
    assert torch.equal(frozen_of(drawn).frozen, frozen_of(other).frozen)  # the architecture is the same


def test_std_is_a_standard_deviation():
    one = frozen_of(break_(nn.Linear(400, 100), WAsymmetric(frozen=100, std=3.0)))
    values = one.frozen[~one.mask]
    assert values.std().item() == pytest.approx(3.0, rel=0.03)
    assert abs(values.mean().item()) < 0.1
    assert (one.frozen[one.mask] == 0).all()
    zeros = frozen_of(break_(nn.Linear(400, 100), WAsymmetric(frozen=100, std=0.0)))
    assert not zeros.frozen.any()


def test_pinned_vectors():
    model = break_(nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5)), WAsymmetric(frozen=2, pin=("*.bias",)))
    masks = trainable_masks(model)
    assert sum(int(m.sum()) for name, m in masks.items() if "bias" in name) == 0
    assert trainable_count(model) == 5 * 2 + 5
    before = model[0].bias.detach().clone()
    steps(model, "adamw")
    assert torch.equal(model[0].bias, before)


def test_vector_round_trip():
    a, b = broken_mlp(), broken_mlp()
    x = torch.randn(6, 4)
    assert not torch.allclose(a(x), b(x))
    vector = trainable_vector(a)
    assert vector.shape == (trainable_count(a),)
    load_trainable_vector_(b, vector)
    assert torch.equal(a(x), b(x))
    with pytest.raises(BadInputError, match="must have shape"):
        load_trainable_vector_(b, vector[1:])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: break_(nn.Linear(3, 3), WAsymmetric(frozen=1)), "broken already: `weight` has frozen entries"),
        (lambda: nn.LazyLinear(3), "no shape yet"),
        (lambda: nn.LayerNorm(3), "no parameter of two axes"),
        (
            lambda: nn.Linear(3, 3, bias=False).requires_grad_(False),
            r"`weight`, it is not trained, and so constant already\.$",
        ),
        (lambda: nn.Linear(3, 3).requires_grad_(False), r"constant already, and 1 more are left out\.$"),
        (lambda: 3, "must be a torch.nn.Module"),
    ],
)
def test_models_that_cannot_be_broken(build: Callable[[], nn.Module], message: str):
    with pytest.raises(BadInputError, match=message):
        break_(build(), WAsymmetric())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unit": "row"}, "unit"),
        ({"init": "zeros"}, "init"),
        ({"std": -1.0}, "std"),
        ({"std": {"*": float("nan")}}, "std"),
        ({"pin": "x"}, "pin"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str):
    with pytest.raises(BadInputError, match=f"`{message}`"):
        WAsymmetric(**arguments)


@pytest.mark.parametrize(
    ("method", "what"),
    [
        ("w-asymmetric", "a str"),
        (torch.zeros(3, 400), r"a tensor of shape \(3, 400\)"),
        (WAsymmetric, "the class WAsymmetric"),
        ((torch.zeros(30, 3), torch.zeros(3)), "a tuple of 2"),
    ],
)
def test_a_method_that_is_none(method: Any, what: str):
    """Inputs in the place of the method are a slip: the message is one line, whatever they print as."""
    with pytest.raises(
        BadInputError, match=rf"WAsymmetric.* but is {what}. The call is break_\(model, method, inputs\)"
    ) as caught:
        break_(nn.Linear(3, 2), method)
    assert "\n" not in str(caught.value)


def test_a_layer_frozen_at_zero_is_an_error():
    with pytest.raises(BadInputError, match="frozen at zero"), pytest.warns(UserWarning, match="as a whole"):
        break_(nn.Linear(3, 2), WAsymmetric(frozen=3, std=0.0))
