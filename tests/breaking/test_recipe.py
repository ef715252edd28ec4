"""The recipe in the state: another one is refused, none is noted, files of the old drawing load with their constants."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from parasym.breaking import DRAWING, FrozenEntries, Recipe, SigmaAsymmetric, WAsymmetric, break_, frozen_tensors, recipe_of
from parasym.breaking.recipe import digest
from parasym.core import RECIPE, BadInputError, CheckpointError
from tests.breaking.old_drawing import old_state
from tests.needs import needs


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def broken(seed: int = 0, **options: Any) -> Any:
    return break_(plain(), WAsymmetric(frozen=2, seed=seed, **options)).model


def inputs() -> Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def constants(model: nn.Module) -> list[Tensor]:
    return [x for _, _, _, entries in frozen_tensors(model) for x in (entries.mask, entries.frozen)]


def test_the_state_has_the_names_of_the_plain_model_and_one_more():
    model = broken()
    assert list(model.state_dict()) == [RECIPE, *plain().state_dict()]
    assert model.state_dict()[RECIPE].dtype == torch.uint8
    recipe = recipe_of(model)
    assert (recipe.drawing, [step.method for step in recipe.steps]) == (DRAWING, ["w-asymmetric"])
    assert recipe.steps[0].options["frozen"] == 2
    assert Recipe.from_tensor(recipe.to_tensor()) == recipe


def test_a_state_holds_the_constants_whatever_was_stored_behind_them():
    model = broken()
    with torch.no_grad():
        for _, module, tensor, entries in frozen_tensors(model):
            module._parameters[tensor].masked_fill_(~entries.mask, float("nan"))  # pyright: ignore[reportOptionalMemberAccess]
    state, same = model.state_dict(), plain()
    same.load_state_dict({n: x for n, x in state.items() if n != RECIPE})
    assert torch.equal(same(inputs()), model(inputs()))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda: broken(1), "seed=0 instead of 1"),
        (lambda: broken(std=2.0), "std=1.0 instead of 2.0"),
        (lambda: broken(pin=("0.bias",)), r"pin=\[\] instead of \['0.bias'\]"),
        (lambda: break_(plain(), SigmaAsymmetric(), inputs()).model, "w-asymmetric"),
    ],
)
def test_the_state_of_another_recipe_is_refused(other: Any, said: str):
    model, state = other(), broken().state_dict()
    before = {n: x.clone() for n, x in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"was broken otherwise: .*{said}.*recipe_of") as caught:
        model.load_state_dict(state)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())
    again = break_(plain(), recipe_of(state)).model
    again.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), state.values(), strict=True))


def test_other_constants_from_the_same_words_are_refused():
    """Fault: recipes compared by their options alone, although another version draws other numbers."""
    model, state = broken(), broken().state_dict()
    state[RECIPE] = replace(recipe_of(state), digest="0" * 64).to_tensor()
    with pytest.raises(CheckpointError, match="other constants from the same recipe"):
        model.load_state_dict(state)
    state[RECIPE] = replace(recipe_of(broken()), drawing=DRAWING + 1, digest="0" * 64).to_tensor()
    with pytest.raises(CheckpointError, match=f"drawing {DRAWING + 1} instead of {DRAWING}"):
        model.load_state_dict(state)
    with pytest.raises(BadInputError, match=f"its constants are of drawing {DRAWING + 1}"):
        break_(plain(), recipe_of(state))


def test_the_digest_is_of_all_constants():
    digests = set()
    for change in ("nothing", "constant", "place"):
        model = broken()
        _, _, _, entries = next(iter(frozen_tensors(model)))
        if change == "constant":
            entries.constants[0, 0] += 1
        if change == "place":
            free = set(range(4)) - set(entries.places[0].tolist())
            entries.places[0, 0] = free.pop()
        digests.add(digest(model))
    assert len(digests) == 3


def test_a_state_without_a_recipe_loads_with_a_note():
    model, state = broken(), plain().state_dict()
    before = constants(model)
    with pytest.warns(
        UserWarning, match=r"no recipe, so it may be of another architecture: at 18 of 18 frozen entries"
    ) as caught:
        model.load_state_dict(state)
    assert caught[0].filename == __file__
    assert all(torch.equal(a, b) for a, b in zip(constants(model), before, strict=True))
    for name, _, _, entries in frozen_tensors(model):
        assert torch.equal(model.get_parameter(name)[entries.mask], state[name][entries.mask])
    mine = {n: x for n, x in broken().state_dict().items() if n != RECIPE}
    with pytest.warns(UserWarning, match="at 0 of 18 frozen entries"):
        model.load_state_dict(mine)


def test_states_of_the_old_drawing_load_with_their_constants(tmp_path: Path):
    model, state = broken(), old_state(broken())
    given = {n: x.clone() for n, x in state.items()}
    with pytest.warns(UserWarning, match="written by an earlier version, which saved constants instead of the recipe"):
        model.load_state_dict(state)
    for name, _, _, entries in frozen_tensors(model):
        base = name.replace("weight", "parametrizations.weight")
        assert torch.equal(entries.mask, given[f"{base}.0.mask"])
        assert torch.equal(entries.frozen, given[f"{base}.0.frozen"])
        assert torch.equal(model.get_parameter(name)[entries.mask], given[f"{base}.original"][entries.mask])
    # No recipe draws these constants again: they are saved with the model from now on, and load without a note.
    save_file(model.state_dict(), tmp_path / "old.safetensors")
    again = broken()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again.load_state_dict(load_file(tmp_path / "old.safetensors"))
    assert torch.equal(again(inputs()), model(inputs()))
    with pytest.raises(CheckpointError, match="broken otherwise: drawing 1 instead of 2"):
        broken(1).load_state_dict({n: x for n, x in model.state_dict().items() if not n.endswith((".mask", ".frozen"))})


def test_a_model_has_the_constants_of_one_state():
    """Fault: a second state with other constants, whose numbers would be read with those of the first or the other way round."""
    model, first, second = broken(), old_state(broken()), old_state(broken(), seed=1)
    with pytest.warns(UserWarning, match="earlier version"):
        model.load_state_dict(dict(first))
    before = constants(model)
    with pytest.raises(
        CheckpointError, match=r"other constants in `0.weight` than the one that the model has its constants from"
    ):
        model.load_state_dict(second)
    assert all(torch.equal(a, b) for a, b in zip(constants(model), before, strict=True))
    with pytest.warns(UserWarning, match="earlier version"):
        model.load_state_dict(first)


def test_old_states_of_other_tensors_are_refused():
    model = break_(plain(), WAsymmetric(frozen={"0": 2, "*": 0})).model
    with pytest.raises(CheckpointError, match=r"frozen entries in other tensors than the model: 2.weight"):
        model.load_state_dict(old_state(broken()))


def test_the_recipe_survives_files(tmp_path: Path):
    model = broken()
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    torch.save(model.state_dict(), tmp_path / "a.pt")
    for name in ("a.safetensors", "a.pt"):
        assert recipe_of(tmp_path / name) == recipe_of(model)
    wrapped = nn.ModuleDict({"inner": model})  # part of a larger model
    assert recipe_of(wrapped.state_dict()) == recipe_of(model)
    other = nn.ModuleDict({"inner": broken(1)})
    with pytest.raises(CheckpointError, match="seed=0 instead of 1"):
        other.load_state_dict(wrapped.state_dict())


def test_the_recipe_survives_save_pretrained(tmp_path: Path):
    transformers = needs("transformers")
    config = transformers.GPT2Config(
        vocab_size=50, n_positions=16, n_embd=24, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )  # fmt: skip
    tokens = torch.randint(50, (2, 7), generator=torch.Generator().manual_seed(0))
    result = break_(transformers.GPT2LMHeadModel(config).eval(), None, kwargs={"input_ids": tokens})
    model: Any = result.model
    assert {"transformer.h.0.attn.c_attn.weight", "transformer.h.0.mlp.c_fc.weight"} <= {b.name for b in result.report.broken}
    model.save_pretrained(tmp_path)
    recipe = recipe_of(tmp_path / "model.safetensors")
    assert recipe == recipe_of(model)
    loaded = transformers.GPT2LMHeadModel.from_pretrained(tmp_path).eval()  # the plain model has the same function
    with torch.no_grad():
        assert torch.equal(loaded(tokens).logits, model(tokens).logits)
    again: Any = break_(loaded, recipe).model
    with torch.no_grad():
        assert torch.equal(again(tokens).logits, model(tokens).logits)


def test_two_steps_are_one_recipe():
    first = break_(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), WAsymmetric(frozen=2)).model
    both = break_(first, SigmaAsymmetric(), inputs()).model
    recipe = recipe_of(both)
    assert [step.method for step in recipe.steps] == ["w-asymmetric", "sigma-asymmetric"]
    again = break_(plain(), recipe).model
    again.load_state_dict(both.state_dict())
    assert torch.equal(again(inputs()), both(inputs()))


def test_what_is_no_recipe():
    for state in ({}, plain().state_dict()):
        with pytest.raises(BadInputError, match="must hold one recipe"):
            recipe_of(state)
    for data in (b"{", b"{}", json.dumps({"steps": [{}], "drawing": 2, "digest": ""}).encode(), b"\xff\xfe"):
        with pytest.raises(CheckpointError, match=r"is no recipe of this package: .* The file is damaged"):
            Recipe.from_tensor(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    unknown = replace(recipe_of(broken()), steps=(replace(recipe_of(broken()).steps[0], method="magic"),))
    with pytest.raises(BadInputError, match="its method magic is not known"):
        break_(plain(), unknown)


def test_constants_do_not_move_when_the_model_is_cast():
    model = broken()
    before = constants(model)
    model.bfloat16().float()
    assert all(torch.equal(a, b) for a, b in zip(constants(model), before, strict=True))
    entries = next(m for m in model.modules() if isinstance(m, FrozenEntries))
    assert torch.equal(model[0].weight[~entries.mask], entries.frozen[~entries.mask].float())
