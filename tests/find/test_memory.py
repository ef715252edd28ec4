"""Whatever a model's code remembers, and wherever, its forward is after a pass what it was before, and holds what it held."""

import sys
import warnings
from types import ModuleType

import pytest
import torch
from torch import nn

from parasym.core import CaptureError
from parasym.find import find, leaks, search
from parasym.find.untraceable import Untraceable
from parasym.functional import snapshot
from tests.find.ways_to_remember import WAYS, Attribute, LruCache, Remembers, clear


@pytest.fixture(autouse=True)
def nothing_remembered():
    clear()
    yield
    clear()


@pytest.fixture(params=["traced", "exported"])
def capture(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read a model by one of the two captures."""
    if request.param == "exported":

        def give_up(*_: object) -> None:
            raise Untraceable

        monkeypatch.setattr(search, "trace", give_up)
    return request.param


X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def changed_by_find(way: type[Remembers], of: str, *, warm: bool) -> list[str]:
    """Return what is not as it was after ``find``."""
    model = way(of)
    with torch.no_grad():
        expected = model(X)
    if not warm:
        clear()
        model = way(of)
    before, wrong = model.held(), []
    try:
        find(model, (torch.zeros(5, 3),))
    except CaptureError as error:
        wrong.append(f"find: {error}")
    after = model.held()
    if [id(x) for x in before] != [id(x) for x in after]:
        wrong.append("what it holds")
    try:
        with torch.no_grad():
            return wrong if torch.equal(model(X), expected) else [*wrong, "its outputs"]
    except Exception as error:
        return [*wrong, f"its forward: {error}"]


@pytest.mark.parametrize("of", ["nothing", "parameters", "inputs"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_model_is_left_as_it_was(way: type[Remembers], of: str, capture: str):
    assert changed_by_find(way, of, warm=False) == []
    if capture == "traced":
        clear()
        assert changed_by_find(way, of, warm=True) == []


def test_the_check_sees_what_is_not_put_back(monkeypatch: pytest.MonkeyPatch, capture: str):
    monkeypatch.setattr(snapshot.Snapshot, "restore", lambda self: None)
    [found, *_] = changed_by_find(Attribute, "inputs", warm=False)
    assert "Attribute.cache" in found
    if capture == "exported":  # a traced constant is right, though it need not be there
        assert changed_by_find(Attribute, "nothing", warm=False)


def test_the_check_sees_what_is_not_taken_back(monkeypatch: pytest.MonkeyPatch, capture: str):
    monkeypatch.setattr(leaks.Watch, "take_back", lambda *_: None)
    assert len(changed_by_find(LruCache, "inputs", warm=False)) == 1


def far_away(imports: int) -> ModuleType:
    """Return a file from which so many imports lead to one whose variable ``latest`` remembers."""
    far = ModuleType("as_far_as_it_gets")
    far.latest = None  # type: ignore[attr-defined]
    for k in range(imports):
        near = ModuleType(f"nearer_{k}")
        near.further = far  # type: ignore[attr-defined]
        far = near
    return far


class Far(Remembers):
    """Remembers in a variable of a file from which its own does not even import."""

    def recall(self, n, make):
        file = THERE
        while hasattr(file, "further"):
            file = file.further
        file.latest = make()  # type: ignore[attr-defined]
        return file.latest  # type: ignore[attr-defined]


THERE = ModuleType("nowhere")


@pytest.mark.parametrize(("imports", "within_reach"), [(1, True), (5, False)])
def test_what_cannot_be_put_back_is_named(imports: int, within_reach: bool, monkeypatch: pytest.MonkeyPatch, capture: str):
    monkeypatch.setitem(globals(), "THERE", far_away(imports))
    found = changed_by_find(Far, "inputs", warm=False)
    if within_reach:
        assert found == []
    else:
        assert len(found) == 1
        assert "remembers a tensor" in found[0]
        assert "as_far_as_it_gets.latest" in found[0]


class Hooks(nn.Module):
    """Leaves a hook of all modules behind and fails, as an export of torch 2.11 that fails does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nn.modules.module.register_module_buffer_registration_hook(lambda *_: None)
        return x[float(x.sum()) > 0 :]


def test_hooks_of_all_modules_are_put_back(capture: str):
    before = dict(nn.modules.module._global_buffer_registration_hooks)
    with pytest.raises(CaptureError):
        find(Hooks(), (torch.zeros(5, 3),))
    assert dict(nn.modules.module._global_buffer_registration_hooks) == before


class ImportsLate(Remembers):
    """Something that belongs to torch is imported during the pass, and holds a tensor."""

    def recall(self, n, make):
        late = ModuleType("torch.imported_late")
        late.__spec__ = None
        exec("def held():\n    return kept", late.__dict__)
        late.kept = made = make()  # type: ignore[attr-defined]
        sys.modules["torch.imported_late"] = late
        return made


def test_what_is_imported_during_a_pass_stays_imported(monkeypatch: pytest.MonkeyPatch, capture: str):
    monkeypatch.setitem(sys.modules, "torch.imported_late", ModuleType("placeholder"))
    before = {name: id(module) for name, module in sys.modules.items() if name != "torch.imported_late"}
    find(ImportsLate("inputs"), (torch.zeros(5, 3),))
    assert sys.modules["torch.imported_late"].__name__ == "torch.imported_late"
    assert all(id(sys.modules.get(name)) == i for name, i in before.items())


def test_a_scripted_model_is_read_and_left_as_it_was():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = torch.jit.script(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))
    expected = model(X)
    assert find(model, (torch.zeros(5, 3),)).order == 2**4 * 24
    assert all(torch.equal(model(X), expected) for _ in range(3))
