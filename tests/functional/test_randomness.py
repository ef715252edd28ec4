"""What is drawn follows the entries: exchanged with them, blind to their signs and scales, and to nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.functional.randomness import FollowingDraws, uniform

X = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
IMAGE = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
DRAWS: dict[str, tuple[Tensor, Callable[[Tensor], Tensor], bool]] = {
    "dropout": (X, lambda x: functional.dropout(x, 0.3), True),
    "dropout of torch": (X, lambda x: torch.dropout(x, 0.3, True), True),
    "dropout of the graph": (X, lambda x: torch.ops.aten.dropout.default(x, 0.3, True), True),
    "native dropout": (X, lambda x: torch.native_dropout(x, 0.3, True)[0], True),
    "module in place": (X, lambda x: nn.Dropout(0.3, inplace=True)(x.clone()), True),
    "channels": (IMAGE, lambda x: functional.dropout2d(x, 0.3), True),
    "channels of torch": (IMAGE, lambda x: torch.feature_dropout(x, 0.3, True), True),
    "alpha": (X, lambda x: functional.alpha_dropout(x, 0.3, training=True), False),
    "alpha by channels": (IMAGE, lambda x: functional.feature_alpha_dropout(x, 0.3, training=True), False),
    "slopes": (X, lambda x: functional.rrelu(x, training=True), False),
    "noise": (X, lambda x: x + torch.randn_like(x), False),
    "flat noise": (X, lambda x: x + torch.rand_like(x), False),
    "coins": (X, lambda x: torch.bernoulli(x.sigmoid()), False),
}


def drawn(draw: Callable[[Tensor], Any], x: Tensor) -> tuple[Any, set[str]]:
    state = torch.random.get_rng_state()
    with FollowingDraws() as following:
        out = draw(x)
    assert torch.equal(torch.random.get_rng_state(), state)  # nothing was drawn
    return out, following.seen


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_drawn_follows(name: str):
    x, draw, signed = DRAWS[name]
    out, seen = drawn(draw, x)
    assert len(seen) == 1
    plain = draw(x.clone())
    assert out.shape == plain.shape
    assert not torch.equal(out, plain)
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(drawn(draw, x[:, order])[0], out[:, order], rtol=1e-11, atol=1e-11)
    if signed:
        scale = torch.linspace(-2.5, 3, x.shape[1], dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 2))
        torch.testing.assert_close(drawn(draw, x * scale)[0], out * scale, rtol=1e-10, atol=1e-10)


def test_a_map_that_mixes_channels_is_seen():
    mix = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    draw = lambda x: functional.dropout(x, 0.3)  # noqa: E731
    assert float((drawn(draw, X @ mix)[0] - drawn(draw, X)[0] @ mix).abs().max()) > 0.1


def test_numbers_differ_from_entry_to_entry():
    numbers = uniform(X)
    assert 0.2 < float(numbers.std()) < 0.5
    assert len(numbers.unique()) == X.numel()
    assert len(uniform(X[:1]).unique()) == 1  # a single sample has nothing to be compared with
    assert bool(uniform(torch.relu(X)).isfinite().all())
    assert bool(uniform(torch.zeros(3, 2)).isfinite().all())


def test_attention_drops_weights_and_nothing_else():
    q, k, v = (torch.randn(2, 3, 5, 4, dtype=torch.float64) for _ in range(3))
    attend = lambda p: functional.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)  # noqa: E731
    out, seen = drawn(lambda _: attend(0.3), q)
    assert seen == {"scaled_dot_product_attention"}
    order = torch.tensor([2, 0, 1])
    q, k, v = (x[:, order] for x in (q, k, v))
    torch.testing.assert_close(drawn(lambda _: attend(0.3), q)[0], out[:, order])
    assert float((attend(0.0) - out[:, order]).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("both_ways", [False, True])
def test_recurrent_layers_are_run_one_by_one(kind: type[nn.LSTM], both_ways: bool):
    layer = kind(4, 3, 3, dropout=0.3, bidirectional=both_ways, batch_first=True).double()
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    out, seen = drawn(lambda x: layer(x)[0], x)
    assert len(seen) == 1
    assert not torch.allclose(out, layer.eval()(x)[0])
    # With nothing dropped the layers one by one are the layers.
    layer.train()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parasym.functional.randomness._mask", lambda x, p: torch.ones_like(x))
        (alone, state), _ = drawn(layer, x)
    layer.eval()
    torch.testing.assert_close((alone, state), layer(x))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_drop_what_one_hands_to_the_next_and_nothing_else(kind: type[nn.LSTM]):
    both, x = kind(4, 3, 2, dropout=0.3, batch_first=True).double(), torch.randn(2, 5, 4, dtype=torch.float64)
    first, second = kind(4, 3, batch_first=True).double(), kind(3, 3, batch_first=True).double()
    for k, one in enumerate((first, second)):
        one.load_state_dict({n.replace(f"l{k}", "l0"): p for n, p in both.state_dict().items() if n.endswith(f"l{k}")})
    by_hand = drawn(lambda x: second(functional.dropout(first(x)[0], 0.3))[0], x)[0]
    torch.testing.assert_close(drawn(lambda x: both(x)[0], x)[0], by_hand)


@pytest.mark.parametrize(("layers", "p", "train"), [(1, 0.3, True), (2, 0.0, True), (2, 0.3, False)])
def test_recurrent_layers_that_drop_nothing_stay_as_they_are(layers: int, p: float, train: bool):
    layer, x = nn.LSTM(4, 3, layers).double().train(train), torch.randn(2, 5, 4, dtype=torch.float64)
    layer.dropout = p
    out, seen = drawn(lambda x: layer(x)[0], x)
    assert not seen
    assert torch.equal(out, layer(x)[0])


@pytest.mark.parametrize("weights", [False, True])
def test_draws_inside_of_attention_modules_are_found(weights: bool):
    layer = nn.MultiheadAttention(4, 2, dropout=0.3, batch_first=True).double()
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    _, seen = drawn(lambda x: layer(x, x, x, need_weights=weights)[0], x)
    assert seen == {"dropout" if weights else "scaled_dot_product_attention"}


def test_nothing_is_changed_where_nothing_is_drawn():
    for draw in (lambda x: functional.dropout(x, 0.3, training=False), lambda x: functional.dropout(x, 0.0), functional.rrelu):
        out, seen = drawn(draw, X)
        assert not seen
        assert torch.equal(out, draw(X))


def test_what_is_drawn_has_the_mean_and_the_spread_that_it_should_have():
    x = torch.randn(500, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with FollowingDraws():
        normal, flat = torch.randn_like(x), torch.rand_like(x)
    assert abs(float(normal.mean())) < 0.1
    assert abs(float(normal.std()) - 1) < 0.1
    assert abs(float(flat.mean()) - 0.5) < 0.1
    assert 0 <= float(flat.min()) < 0.01
    assert 0.99 < float(flat.max()) <= 1


@pytest.mark.parametrize("name", ["dropout", "native dropout", "module in place"])
def test_what_is_kept_has_the_mean_that_it_should_have(name: str):
    x = torch.randn(500, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kept = drawn(DRAWS[name][1], x)[0] / x
    assert abs(float(kept.mean()) - 1) < 0.1
    assert 0 <= float(kept.min()) < float(kept.max()) <= 2


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_attention_of_shared_heads_is_that_of_repeated_heads(batch: int):
    q, k, v = (torch.randn(batch, heads, 5, 4, generator=torch.Generator().manual_seed(heads)).double() for heads in (4, 2, 2))
    keys, values = (x.repeat_interleave(2, -3) for x in (k, v))
    with FollowingDraws():
        found = functional.scaled_dot_product_attention(q, k, v, dropout_p=0.5, enable_gqa=True)
        same = functional.scaled_dot_product_attention(q, keys, values, dropout_p=0.5)
    assert torch.allclose(found, same)
    assert not torch.allclose(found, functional.scaled_dot_product_attention(q, keys, values), atol=1e-2)
