"""Layers with parameters of their own: convolutions, normalizations, attention, recurrences, look-ups."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.zoo.inputs import normal
from tests.rules.rule_cases import SIGNED, Between, RuleCase, aten, op_case

FOUR = ("S(4)", "scale(4)")


class Kernel(nn.Module):
    """A convolution by its operation, with the arguments in the order of the operation."""

    def __init__(self, name: str, shape: tuple[int, ...], out: int, *more: Any):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(shape)), nn.Parameter(torch.randn(out))
        self.name, self.more = name, more

    def forward(self, x: Tensor) -> Tensor:
        return getattr(aten, self.name)(x, self.weight, self.bias, *self.more)


def _images(name: str, first: Callable[[], nn.Module], second: Callable[[], nn.Module], n: int, axis: int = 1) -> RuleCase:
    """Return a case of two convolutions of ``n`` dimensions with a ReLU between them."""
    wire = (("first.weight", 1 - axis, 1), ("first.bias", 0, 1), ("second.weight", axis, -1))
    return op_case(name, torch.relu, FOUR, first=first, second=second, inputs=normal((6, 2, *[4] * n)), wire=wire)


_PLAIN = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_WIDE = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}

_CONVOLUTION = (
    *(_images(f"conv{n}d", lambda n=n: _PLAIN[n](2, 4, 2, padding=1), lambda n=n: _PLAIN[n](4, 3, 2), n) for n in (1, 2, 3)),
    *(_images(f"conv_transpose{n}d", lambda n=n: _WIDE[n](2, 4, 2), lambda n=n: _WIDE[n](4, 3, 2, 2), n, 0) for n in (1, 2, 3)),
    *(
        _images(
            name,
            lambda name=name, more=more: Kernel(name, (4, 2, 2, 2), 4, (1, 1), (1, 1), (1, 1), False, (0, 0), 1, *more),
            lambda name=name, more=more: Kernel(name, (3, 4, 2, 2), 3, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, *more),
            2,
        )
        for name, more in (("convolution", ()), ("_convolution", (False, False, True, True)))
    ),
)


class Affine(nn.Module):
    """Gains, shifts and running statistics for an operation ``op(x, weight, bias, mean, var)``."""

    def __init__(self, op: Callable[..., Tensor]):
        super().__init__()
        self.weight, self.bias, self.op = nn.Parameter(torch.rand(5) + 0.5), nn.Parameter(torch.randn(5)), op
        self.register_buffer("running_mean", torch.randn(5))
        self.register_buffer("running_var", torch.rand(5) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x, self.weight, self.bias, self.running_mean, self.running_var).tanh()


class WeightNorm(nn.Module):
    """A layer whose weight is a direction times a length, a bend, and a linear layer."""

    def __init__(self, op: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.v, self.g, self.op = nn.Parameter(torch.randn(5, 4)), nn.Parameter(torch.rand(5, 1) + 0.5), op
        self.second = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second((x @ self.op(self.v, self.g).mT).tanh())


# Direction and length may change sign together; the length of the direction is free.
_LENGTHS = (*SIGNED, "signs(5)", "scale(5)")
_EPS = 1e-5
# The mean over the channels drops out: shifts of each column of the first weight, and of its bias; and one sign.
_MEAN = ("S(5)", "signs(5)", "signs(1)", "shift(4)", "shift(1)")
# Statistics of the batch kill the bias before them; a constant of running_mean and of the bias before them move together.
_EVAL = ("S(5)", "signs(5)", "signs(5)", "scale(5)", "scale(5)", "shift(5)", "shift(5)")
_BATCH = ("S(5)", "signs(5)", "signs(5)", "shift(5)")

_BATCH_NORMS: tuple[tuple[str, Callable[..., Tensor], tuple[str, ...]], ...] = (
    ("batch_norm", lambda x, w, b, m, v: aten.batch_norm(x, w, b, m, v, False, 0.1, _EPS, False), _EVAL),
    ("batch_norm", lambda x, w, b, m, v: aten.batch_norm(x, w, b, None, None, True, 0.1, _EPS, False), _BATCH),
    ("native_batch_norm", lambda x, w, b, m, v: aten.native_batch_norm(x, w, b, m, v, False, 0.1, _EPS)[0], _EVAL),
    ("_native_batch_norm_legit", lambda x, w, b, m, v: aten._native_batch_norm_legit(x, w, b, m, v, False, 0.1, _EPS)[0], _EVAL),
    (
        "_native_batch_norm_legit_no_training",
        lambda x, w, b, m, v: aten._native_batch_norm_legit_no_training(x, w, b, m, v, 0.1, _EPS)[0],
        _EVAL,
    ),
    (
        "_native_batch_norm_legit_functional",
        lambda x, w, b, m, v: aten._native_batch_norm_legit_functional(x, w, b, m, v, False, 0.1, _EPS)[0],
        _EVAL,
    ),
)

_NORMALIZATION = (
    *(op_case(n, Affine(op), expected, rest=None, label=str(len(expected))) for n, op, expected in _BATCH_NORMS),
    op_case("layer_norm", nn.Sequential(nn.LayerNorm(5), nn.Tanh()), _MEAN),
    op_case("native_layer_norm", Affine(lambda x, w, b, m, v: aten.native_layer_norm(x, (5,), w, b, _EPS)[0]), _MEAN),
    op_case("rms_norm", nn.Sequential(nn.RMSNorm(5, eps=0.1), nn.Tanh()), ("S(5)", "signs(5)", "signs(5)")),
    # The bias before and the epsilon may move into each other: one direction that depends on the parameters.
    op_case("rms_norm", nn.RMSNorm(5, eps=0.1, elementwise_affine=False), ("O(5)",), label="without gain", rest=1),
    RuleCase(
        "instance_norm",
        lambda: Between(nn.Sequential(nn.InstanceNorm2d(5), nn.Tanh()), nn.Conv2d(2, 5, 1), nn.Conv2d(5, 3, 1)),
        ("S(5)", "signs(5)", "shift(5)"),
        inputs=normal((6, 2, 3, 3)),
    ),
    *(
        RuleCase(
            name,
            lambda op=op: Between(op, nn.Conv2d(2, 6, 1), nn.Conv2d(6, 3, 1)),
            ("S(3)", "S(2)^3", "signs(3)", "shift(3)"),
            inputs=normal((6, 2, 3, 3)),
            wire=(),
        )
        for name, op in (
            ("group_norm", lambda x: functional.group_norm(x, 3).tanh()),
            ("native_group_norm", lambda x: aten.native_group_norm(x, None, None, 6, 6, 9, 3, _EPS)[0].tanh()),
        )
    ),
    RuleCase("_weight_norm", lambda: WeightNorm(lambda v, g: aten._weight_norm(v, g, 0)), _LENGTHS, wire=()),
    RuleCase(
        "_weight_norm_interface",
        lambda: WeightNorm(lambda v, g: aten._weight_norm_interface(v, g, 0)[0]),
        _LENGTHS,
        wire=(),
    ),
)


class Attention(nn.Module):
    """One head of three features between three layers without biases."""

    def __init__(self, op: Callable[[Tensor, Tensor, Tensor], Tensor]):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 3, bias=False) for _ in range(3))
        self.op, self.second = op, nn.Linear(3, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).unsqueeze(1) for layer in (self.q, self.k, self.v))
        return self.second(self.op(q, k, v).squeeze(1))


_HEAD = ("GL(3)", "GL(3)")
_SEQUENCES = normal((3, 5, 4))


def _attention(name: str, op: Callable[[Tensor, Tensor, Tensor], Tensor], label: str = "", rest: int = 0) -> RuleCase:
    return RuleCase(name, lambda: Attention(op), _HEAD, inputs=_SEQUENCES, wire=(), label=label, rest=rest)


_ATTENTION = (
    _attention("scaled_dot_product_attention", functional.scaled_dot_product_attention),
    _attention(
        "scaled_dot_product_attention", lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True), "causal"
    ),
    _attention(
        "_scaled_dot_product_flash_attention_for_cpu",
        lambda q, k, v: aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)[0],
    ),
    _attention("softmax", lambda q, k, v: torch.softmax(q @ k.mT, -1) @ v),
    _attention("_softmax", lambda q, k, v: aten._softmax(q @ k.mT, -1, False) @ v),
    _attention("_safe_softmax", lambda q, k, v: aten._safe_softmax(q @ k.mT, -1) @ v),
    # What is common to all channels drops out: a column of the first weight may move along the ones. The outputs of a
    # softmax sum to one: what all columns of the second weight have in common may move into its bias.
    op_case(
        "softmax", lambda x: torch.softmax(x, -1), ("S(5)", "shift(4)", "shift(1)", "shift(3)"), label="over the wire", rest=None
    ),
    op_case("log_softmax", lambda x: torch.log_softmax(x, -1), ("S(5)", "shift(4)", "shift(1)"), rest=None),
    op_case("_log_softmax", lambda x: aten._log_softmax(x, -1, False), ("S(5)", "shift(4)", "shift(1)"), rest=None),
)


class Recurrence(nn.Module):
    """A recurrence and a linear layer that reads its last state."""

    def __init__(self, core: nn.Module):
        super().__init__()
        self.core, self.second = core, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.core(x)[0])


class Steps(nn.Module):
    """Three steps of a cell, and a linear layer that reads the last state."""

    def __init__(self, core: nn.Module):
        super().__init__()
        self.core, self.second = core, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for k in range(3):
            state = self.core(x[:, k], state)
        return self.second(state[0] if isinstance(state, tuple) else state)


_STEPS = normal((12, 3, 3))
_GATED = ("S(4)", "signs(4)")
_RECURRENT = (
    RuleCase("lstm", lambda: Recurrence(nn.LSTM(3, 4, batch_first=True)), (*_GATED, *["shift(4)"] * 4), inputs=_STEPS, wire=()),
    RuleCase("gru", lambda: Recurrence(nn.GRU(3, 4, batch_first=True)), (*_GATED, *["shift(4)"] * 2), inputs=_STEPS, wire=()),
    RuleCase("rnn_tanh", lambda: Recurrence(nn.RNN(3, 4, batch_first=True)), (*_GATED, "shift(4)"), inputs=_STEPS, wire=()),
    RuleCase(
        "rnn_relu",
        lambda: Recurrence(nn.RNN(3, 4, nonlinearity="relu", batch_first=True)),
        (*FOUR, "shift(4)"),
        inputs=_STEPS,
        wire=(),
    ),
    # The two biases are summed at every step; those of a new state apart, as the gate of resetting multiplies one of them.
    RuleCase("lstm_cell", lambda: Steps(nn.LSTMCell(3, 4)), (*_GATED, *["shift(4)"] * 4), inputs=_STEPS, wire=()),
    RuleCase("gru_cell", lambda: Steps(nn.GRUCell(3, 4)), (*_GATED, *["shift(4)"] * 2), inputs=_STEPS, wire=()),
    RuleCase("rnn_tanh_cell", lambda: Steps(nn.RNNCell(3, 4)), (*_GATED, "shift(4)"), inputs=_STEPS, wire=()),
    RuleCase("rnn_relu_cell", lambda: Steps(nn.RNNCell(3, 4, nonlinearity="relu")), (*FOUR, "shift(4)"), inputs=_STEPS, wire=()),
)


class Rotated(Attention):
    """Attention whose queries and keys are turned by complex numbers, plane by plane."""

    def __init__(self):
        super().__init__(lambda q, k, v: torch.softmax(self.turned(q) @ self.turned(k).mT, -1) @ v)
        self.q, self.k = (nn.Linear(4, 4, bias=False) for _ in range(2))

    def turned(self, x: Tensor) -> Tensor:
        angles = torch.arange(5, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.1], dtype=torch.float64)
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], 2, 2))
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


_ROTARY = tuple(
    RuleCase(name, Rotated, ("planes(2)", "GL(3)"), inputs=_SEQUENCES, wire=()) for name in ("view_as_complex", "view_as_real")
)

LAYERS: tuple[RuleCase, ...] = (*_CONVOLUTION, *_NORMALIZATION, *_ATTENTION, *_RECURRENT, *_ROTARY)
