"""Where a group is missing the chain that forbids it is what was derived by hand, line by line of the model."""

import copy
import linecache
import pickle
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError, SymmetryError
from parasym.find import find
from parasym.find.chain import Chains, touched
from parasym.find.explain import Explanation
from parasym.find.where import Running
from parasym.groups import Permutation
from parasym.rules import BY_NAME, Builder, Value
from parasym.rules.program import Fn
from parasym.rules.rule import Rule
from parasym.symmetry import Symmetry, Why
from parasym.zoo import ZOO
from tests.find.test_coarse import IMAGE, SEQ, TOKENS, Net

X = torch.zeros(5, 4)


class Tanh(nn.Module):
    """Two layers with an odd function between them and a softmax behind."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.fc1(x))
        return self.fc2(hidden).softmax(-1)


class Sigmoid(Tanh):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.sigmoid(self.fc1(x)))


class Residual(nn.Module):
    """A branch beside a stream that is the input: what is added must move as the input does."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 6), nn.Linear(6, 4, bias=False)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.down(self.up(x).relu())
        return self.out((x + branch).relu())


class Flipped(nn.Module):
    """Channels in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.a(x).relu()
        return self.b(hidden.flip(1))


class Normed(nn.Module):
    """A bias before a normalization that does not see it, and a gain behind."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.norm(self.a(x)).relu())


def cubic(s: Any, x: Tensor) -> Tensor:
    h = s.a(x)
    return s.b(h + h**3)


def masked(s: Any, x: Tensor) -> Tensor:
    return s.b(s.a(x).relu() * torch.arange(1.0, 7.0))


CASES = {  # model, inputs, parameter, group, axis, words of the operations on the way, words of what forbids it
    "a softmax blocks the scale": (Tanh(), X, "fc2.bias", "scale", "axis 0", ["addmm", "softmax"], "softmax sees every scale"),
    "an odd function blocks the scale": (Tanh(), X, "fc1.weight", "scale", "axis 0", ["addmm", "tanh"], "odd function"),
    "and so it does from behind": (Tanh(), X, "fc2.weight", "scale", "axis 1", ["addmm", "tanh"], "odd function"),
    "an input pins": (Tanh(), X, "fc1.weight", "permutation", "axis 1", ["addmm"], "input"),
    "an output pins": (Sigmoid(), X, "fc2.weight", "permutation", "axis 0", ["addmm"], "output"),
    "a sigmoid blocks the scale": (Sigmoid(), X, "fc1.bias", "scale", "axis 0", ["addmm", "sigmoid"], "neither scales nor signs"),
    "a sigmoid blocks the sign": (Sigmoid(), X, "fc1.bias", "sign", "axis 0", ["addmm", "sigmoid"], "neither scales nor signs"),
    "a function of entries blocks rotations": (Tanh(), X, "fc1.bias", "rotation", "axis 0", ["addmm", "tanh"], "every entry"),
    "a residual ties the scale to the input": (Residual(), X, "down.weight", "scale", "axis 0", ["mm", "add"], "input"),
    "and the permutation": (Residual(), X, "down.weight", "permutation", "axis 0", ["mm", "add"], "input"),
    "what is behind it is tied too": (Residual(), X, "out.weight", "permutation", "axis 1", ["addmm", "relu", "add"], "input"),
    "another order pins": (
        Flipped(),
        X,
        "a.bias",
        "permutation",
        "axis 0",
        ["addmm", "relu", "flip"],
        "which entry goes where",
    ),
    "two powers of one number fit no scale": (
        Net(cubic, a=nn.Linear(4, 6), b=nn.Linear(6, 3)),
        X,
        "a.bias",
        "scale",
        "axis 0",
        ["addmm", "pow", "add"],
        "only if there is none",
    ),
    "tokens pin rows": (
        Net(lambda s, x: s.b(s.e(x).relu()), e=nn.Embedding(9, 6), b=nn.Linear(6, 3)),
        TOKENS,
        "e.weight",
        "permutation",
        "axis 0",
        ["embedding"],
        "entries of this axis apart",
    ),
    "a kernel pins its places": (
        Net(lambda s, x: s.a(x).relu(), a=nn.Conv2d(3, 4, 3)),
        IMAGE,
        "a.weight",
        "permutation",
        "axis 2",
        ["conv"],
        "entries of this axis apart",
    ),
    "a constant tells channels apart": (
        Net(masked, a=nn.Linear(4, 6), b=nn.Linear(6, 3)),
        X,
        "a.bias",
        "permutation",
        "axis 0",
        ["addmm", "relu", "mul"],
        "constant tells its channels apart",
    ),
    "a maximum blocks rotations": (
        Net(lambda s, x: s.b(s.a(x).amax(1)), a=nn.Linear(3, 6), b=nn.Linear(6, 3)),
        SEQ,
        "a.bias",
        "rotation",
        "axis 0",
        ["addmm", "view", "amax"],
        "compared entry by entry",
    ),
    "a function that is not linear sees a shift": (
        Tanh(),
        X,
        "fc1.bias",
        "shift",
        "along axis 0",
        ["addmm", "tanh"],
        "not linear",
    ),
    "an output sees a shift": (Sigmoid(), X, "fc2.bias", "shift", "along axis 0", ["addmm"], "output"),
}


def chain_of(answer: Why, where: str) -> tuple[list[str], str]:
    reasons = [reason for reason in answer.reasons if where in reason.where]
    assert reasons, str(answer)
    return [passage.operation for passage in reasons[0].chain], reasons[0].because


@pytest.mark.parametrize("name", CASES)
def test_the_chain_is_what_was_derived(name: str) -> None:
    model, x, parameter, group, where, operations, because = CASES[name]
    found, said = chain_of(find(model, (x,)).why(parameter, group), where)
    assert len(found) == len(operations), found
    for operation, words in zip(found, operations, strict=True):
        assert words in operation
    assert because in said


@pytest.mark.parametrize(
    ("model", "parameter", "group", "label"),
    [
        (Tanh(), "fc1.weight", "permutation", "S(6)"),
        (Tanh(), "fc1.weight", "SignFlip", "signs(6)"),
        (Tanh(), "fc2.bias", "shift", "shift(1)"),
        (Residual(), "up.bias", "scale", "scale(6)"),
        (Normed(), "a.bias", "shift", "shift(1)"),
        (nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3)), "0.weight", "permutation", "GL(6)"),
        (nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3)), "0.weight", "GL", "GL(6)"),
    ],
)
def test_it_says_where_the_group_is(model: nn.Module, parameter: str, group: str, label: str) -> None:
    answer = find(model, (X,)).why(parameter, group)
    assert any(f"yes, {label}" in place for place in answer.there)
    assert f"yes, {label}" in str(answer)


def test_lines_of_the_model_are_named() -> None:
    answer = find(Tanh(), (X,)).why("fc1.weight", "scale")
    for (passage, words), module in zip(zip(answer.reasons[0].chain, ("fc1(x)", "tanh"), strict=True), ("fc1", ""), strict=True):
        file, _, line = passage.source.rpartition(":")
        assert words in linecache.getline(file, int(line))
        assert passage.module == module
        assert passage.source in str(answer)


def test_an_exported_model_names_lines_too() -> None:
    program = torch.export.export(Tanh(), (X,))
    (reason, *_) = find(program).why("fc1.weight", "scale").reasons
    assert [passage.operation for passage in reason.chain] == ["aten.linear.default", "aten.tanh.default"]
    assert "tanh" in linecache.getline(*_split(reason.chain[1].source))


def _split(source: str) -> tuple[str, int]:
    file, _, line = source.rpartition(":")
    return file, int(line)


def test_a_rule_that_lets_less_through_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lower(b: Builder, x: Value) -> Value:
        return b.pointwise(Fn.GENERIC, x)

    assert find(Tanh(), (X,)).why("fc1.bias", "sign").there
    monkeypatch.setitem(BY_NAME, "tanh", Rule(("tanh",), lower))
    answer = find(Tanh(), (X,)).why("fc1.bias", "sign")
    assert not answer.there
    assert chain_of(answer, "axis 0")[0] == ["aten.addmm.default", "aten.tanh.default"]


NAMES = ("mlp_tanh", "residual_mlp", "attention_bias", "resnet", "gpt", "lstm", "swiglu", "conv_batchnorm_eval")
WORDS = ("permutation", "sign", "scale", "rotation", "linear", "planes", "shift")


@pytest.mark.parametrize("entry", [entry for entry in ZOO if entry.name in NAMES], ids=lambda entry: entry.name)
def test_every_question_about_every_parameter_has_an_answer(entry: Any) -> None:
    model = entry.model()
    symmetry = find(model, entry.inputs(torch.Generator().manual_seed(0)))
    for name in dict(symmetry.shapes).keys() - symmetry.first_names.keys():
        for word in WORDS:
            answer = symmetry.why(name, word)
            acting = [f for f in symmetry.factors if name in f.tensors and word in (f.group.word, *f.group.contains)]
            assert bool(acting) <= bool(answer.there)
            assert answer.there or answer.reasons
            assert not any("left out" in reason.because for reason in answer.reasons)


def test_no_instruction_of_a_chain_can_be_left_out() -> None:
    entry = next(entry for entry in ZOO if entry.name == "residual_mlp")
    explain = find(entry.model(), entry.inputs(torch.Generator().manual_seed(0))).explain
    assert isinstance(explain, Explanation)
    chains, checked = explain.chains, 0
    for value in explain.used.values():
        for sign in (False, True):
            for cell in chains.ground.cells(value):
                steps = chains.forcing(value, (value.index, cell), sign=sign) or []
                for k in range(len(steps)):
                    rest = steps[:k] + steps[k + 1 :]
                    assert chains.sufficient(rest, (value.index, cell), sign=sign) is None
                    checked += 1
                assert not steps or value.index in {v.index for v in touched(steps[0])}
    assert checked > 10


def test_a_search_that_keeps_too_much_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chains, "forcing", lambda self, start, target, *, sign: self.by_distance(start))
    with pytest.raises(AssertionError):
        test_no_instruction_of_a_chain_can_be_left_out()


def test_questions_without_an_answer_are_one_line() -> None:
    symmetry = find(Tanh(), (X,))
    with pytest.raises(BadInputError, match=r"no parameter 'fc1.wweight'. Is it `fc1.weight`"):
        symmetry.why("fc1.wweight", "scale")
    with pytest.raises(
        BadInputError, match="no group 'zoom'; there are permutation, sign, scale, rotation, linear, planes, shift"
    ):
        symmetry.why("fc1.weight", "zoom")
    for other in (Symmetry.from_json(symmetry.to_json()), pickle.loads(pickle.dumps(symmetry)), copy.deepcopy(symmetry)):
        assert other == symmetry
        with pytest.raises(SymmetryError, match="does not know the instructions"):
            other.why("fc1.weight", "scale")


def test_a_part_of_a_symmetry_knows_why() -> None:
    part = find(Tanh(), (X,)).only(Permutation)
    assert part.why("fc1.weight", "permutation").there
    assert "odd function" in str(part.why("fc1.bias", "scale"))


def test_a_tied_name_is_the_first_one() -> None:
    model = Tanh()
    model.other = model.fc1.weight  # pyright: ignore[reportAttributeAccessIssue]
    symmetry = find(model, (X,))
    assert len({symmetry.why(name, "scale").tensor for name in ("other", "fc1.weight")}) == 1


def test_to_say_where_keeps_nothing_alive() -> None:
    class Holds(nn.Module):
        def forward(self) -> tuple[str, bool]:
            x = torch.zeros(3)
            gone = weakref.ref(x)
            module, _ = running()
            del x
            return module, gone() is None

    outer = nn.ModuleDict({"inner": Holds()})
    running = Running(outer)
    assert outer["inner"]() == ("inner", True)


def test_the_numbers_of_constants_are_let_go() -> None:
    explain = find(Net(masked, a=nn.Linear(4, 6), b=nn.Linear(6, 3)), (X,)).explain
    assert isinstance(explain, Explanation)
    assert all(value.data is None for value in explain.chains.ground.types.program.values)
