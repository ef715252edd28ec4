"""Operations that draw random numbers: what they let through keeps the law of the outputs."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from parasym.zoo.inputs import normal
from tests.rules.rule_cases import BOTH_WAYS, PERMUTED, SCALED, SIGNED, RuleCase, aten, op_case


def _conv(fan_in: int, fan_out: int) -> Callable[[], nn.Module]:
    return lambda: nn.Conv1d(fan_in, fan_out, 1)


_IMAGES = {"first": _conv(4, 5), "second": _conv(5, 3), "inputs": normal((6, 4, 3))}


def _noisy(x: Tensor) -> Tensor:
    return aten.rrelu_with_noise(x, torch.zeros_like(x), 0.1, 0.5, True)


RANDOM: tuple[RuleCase, ...] = (
    op_case("dropout", lambda x: aten.dropout(x, 0.5, True), BOTH_WAYS, label="in train mode"),
    op_case("native_dropout", lambda x: aten.native_dropout(x, 0.5, True)[0], BOTH_WAYS, label="in train mode"),
    op_case("feature_dropout", lambda x: aten.feature_dropout(x, 0.5, True), BOTH_WAYS, label="in train mode", **_IMAGES),
    op_case("alpha_dropout", lambda x: aten.alpha_dropout(x, 0.5, True), PERMUTED, rest=None),
    op_case("alpha_dropout", lambda x: aten.alpha_dropout(x.relu(), 0.5, False), SCALED, label="in eval mode"),
    op_case("feature_alpha_dropout", lambda x: aten.feature_alpha_dropout(x, 0.5, True), PERMUTED, rest=None, **_IMAGES),
    op_case("rrelu", lambda x: aten.rrelu(x, 0.1, 0.5, True), SCALED, label="in train mode"),
    op_case("rrelu_with_noise_functional", _noisy, SCALED),
    op_case("bernoulli", lambda x: torch.bernoulli(x.sigmoid()), PERMUTED, rest=None),
    op_case("rand_like", lambda x: x.tanh() * torch.rand_like(x), SIGNED),
    op_case("randn_like", lambda x: x.tanh() + torch.randn_like(x), PERMUTED, rest=None),
)
