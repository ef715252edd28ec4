"""Every rule keeps its contract, and the contract catches wrong rules."""

import pytest
import torch
from torch import nn

from parasym.rules import BY_NAME, RULES, Builder, Rule, Value
from parasym.rules.program import Fn
from parasym.testing import ContractError, assert_rule_contract
from parasym.testing.rule_contract import HIDDEN
from tests.rules.index_cases import INDEX
from tests.rules.layer_cases import LAYERS
from tests.rules.pointwise_cases import POINTWISE
from tests.rules.random_cases import RANDOM
from tests.rules.rule_cases import BOTH_WAYS, LINEAR, PERMUTED, SCALED, SIGNED, Between, RuleCase
from tests.rules.shape_cases import SHAPE

CASES = (*POINTWISE, *SHAPE, *LAYERS, *INDEX, *RANDOM)

EXCEPTIONS = {
    "_assert_tensor_metadata": "returns nothing: the graph drops it before rules are asked",
    "_grouped_mm": "exists in half precision only: see test_grouped.py",
    "grouped_mm_fallback": "an operation of transformers, the same as _grouped_mm",
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.name} {c.label}".strip().replace(" ", "_"))
def test_contract(case: RuleCase):
    torch.manual_seed(case.seed)
    generator = torch.Generator().manual_seed(case.seed)
    assert_rule_contract(
        BY_NAME[case.name],
        case.build().double(),
        case.inputs(generator),
        name=case.name,
        expected=case.expected,
        wire=case.wire,
        missing=case.missing,
        rest=case.rest,
        uncovered=case.uncovered,
        generator=generator,
    )


def test_every_operation_has_a_case():
    names = {name for rule in RULES for name in rule.names}
    assert names - {case.name for case in CASES} == set(EXCEPTIONS)


def test_every_operation_exists():
    names = [name for rule in RULES for name in rule.names]
    assert [name for name in names if not hasattr(torch.ops.aten, name)] == ["grouped_mm_fallback"]


def test_no_operation_has_two_rules():
    assert len(BY_NAME) == sum(len(rule.names) for rule in RULES)


def _bias_forgotten(b: Builder, x: Value, weight: Value, bias: Value | None = None) -> Value:
    return b.contract(x, weight, "ay,zy->az")


def _dual_forgotten(b: Builder, x: Value, weight: Value, bias: Value | None = None) -> Value:
    out = b.contract(b.pointwise(Fn.ABS, x), weight, "ay,zy->az")
    return out if bias is None else b.add(out, bias)


def _axes_not_moved(b: Builder, x: Value, first: int, second: int) -> Value:
    shape = list(x.shape)
    shape[first], shape[second] = shape[second], shape[first]
    return b.reshape(x, shape)


def _over_nothing(b: Builder, x: Value, dim: int, *_: object) -> Value:
    return b.pointwise(Fn.LINEAR, x)


def _as(fn: Fn) -> Rule:
    return Rule(("planted",), lambda b, x, *_: b.pointwise(fn, x))


FRAMES = torch.randn(12, 2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
FLAT = FRAMES.flatten(0, 1)
TURNED = Between(lambda x: x.tanh().transpose(1, 2).flatten(1), nn.Linear(4, 6), nn.Linear(12, 3))

FAULTS: dict[str, tuple[str, Rule, nn.Module, tuple[str, ...], str]] = {
    "relu_as_linear": ("relu", _as(Fn.LINEAR), Between(nn.ReLU()), LINEAR, "not sound"),
    "relu_as_odd": ("relu", _as(Fn.ODD), Between(nn.ReLU()), SIGNED, "not sound"),
    "relu_as_generic": ("relu", _as(Fn.GENERIC), Between(nn.ReLU()), PERMUTED, "not explained"),
    "gelu_as_homogeneous": ("gelu", _as(Fn.HOMOGENEOUS), Between(nn.GELU()), SCALED, "not sound"),
    "tanh_as_even": ("tanh", _as(Fn.EVEN), Between(nn.Tanh()), SIGNED, "not sound"),
    "tanh_as_generic": ("tanh", _as(Fn.GENERIC), Between(nn.Tanh()), PERMUTED, "not tight"),
    "tanh_as_abs": ("tanh", _as(Fn.ABS), Between(nn.Tanh()), BOTH_WAYS, "not sound"),
    "wrong_expectation": ("tanh", BY_NAME["tanh"], Between(nn.Tanh()), SCALED, "not what was derived"),
    "bias_forgotten": ("linear", Rule(("linear",), _bias_forgotten), Between(nn.Tanh()), SIGNED, "not sound"),
    "dual_forgotten": ("linear", Rule(("linear",), _dual_forgotten), Between(nn.Tanh()), SIGNED, "not sound"),
    "softmax_not_pinned": ("softmax", Rule(("softmax",), _over_nothing), Between(nn.Softmax(-1)), LINEAR, "not sound"),
    "axes_not_moved": ("transpose", Rule(("transpose",), _axes_not_moved), TURNED, ("S(6)", "signs(6)"), "not sound"),
    "rule_not_used": ("sin", BY_NAME["sin"], Between(nn.Tanh()), SIGNED, "not used"),
    "shapes_wrong": ("tanh", Rule(("tanh",), lambda b, x: b.reduce("sum", x, [1])), Between(nn.Tanh()), SIGNED, "uncovered"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault: str):
    name, rule, model, expected, message = FAULTS[fault]
    x, wire = (FRAMES, ()) if model is TURNED else (FLAT, HIDDEN)
    with pytest.raises(ContractError, match=message):
        assert_rule_contract(rule, model.double(), (x,), name=name, expected=expected, wire=wire)


def test_planted_unclaimed_group_that_does_not_hold_is_caught():
    rule, model = BY_NAME["tanh"], Between(nn.Tanh()).double()
    with pytest.raises(ContractError, match="is said to hold unclaimed"):
        assert_rule_contract(rule, model, (FLAT,), name="tanh", expected=SIGNED, missing=("scale(5)",))


def test_the_table_is_left_as_it_was():
    before, model = dict(BY_NAME), Between(nn.ReLU()).double()
    with pytest.raises(ContractError):
        assert_rule_contract(_as(Fn.LINEAR), model, (FLAT,), name="relu", expected=LINEAR)
    assert before == BY_NAME
