"""A fast capture: one forward pass on tensors without numbers, written down as a program operation by operation.

``torch.export`` does the same with many checks and takes several times as long. The program made here is used only if
rules cover all of it; in every other case (an uncovered operation, writes into views, Python that needs numbers) the
model is exported, and what export says holds.
"""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from parasym.core import CaptureError
from parasym.core.params import check_shaped
from parasym.find.capture import Named, aliases, named_tensors, quiet
from parasym.find.leaks import Watch
from parasym.find.lower import Lowered
from parasym.find.recorder import Recorder
from parasym.find.untraceable import Untraceable, WrittenInto
from parasym.find.where import let_go
from parasym.functional.outputs import leaves
from parasym.functional.snapshot import Snapshot
from parasym.functional.tensors import map_tensors

_PASSES = 8
"""So many passes are made at most: one more for every constant that turns out to be written into."""


def trace(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[Named, Lowered]:
    """Return the tensors of a model and its program, from one pass on tensors without numbers; the model is left as it was.

    Args:
        model: Any module.
        args: Example inputs; only their shapes and types matter.
        kwargs: Example keyword inputs.

    Raises:
        BadInputError: If a parameter has no shape yet.
        CaptureError: If it draws numbers in Python, or remembers tensors where they cannot be taken back.
        Untraceable: If the pass fails or does something that only ``torch.export`` can handle.
    """
    tensors = named_tensors(model)
    check_shaped(model, tensors)
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        raise Untraceable  # a pass unrolls a recurrence, which export keeps as one operation
    unknown: frozenset[int | str] = frozenset()
    for _ in range(_PASSES):
        try:
            return _pass(model, tensors, args, dict(kwargs or {}), Recorder(model, unknown))
        except WrittenInto as found:
            unknown |= {found.constant}
    raise Untraceable


def _pass(
    model: nn.Module, tensors: dict[str, Tensor], args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder
) -> tuple[Named, Lowered]:
    first, tied = aliases(tensors)
    named = Named({k: tuple(v.shape) for k, v in tensors.items()}, tied)
    watch, before = Watch(), Snapshot(model, args, kwargs)
    replaced: list[tuple[Any, str, Tensor]] = []
    try:
        with quiet():
            stand_ins = {name: recorder.tensor(tensors[name], name, named) for name in dict.fromkeys(first.values())}
            replaced = _put(model, {name: stand_ins[one] for name, one in first.items()})
            del stand_ins
            _run(model, args, kwargs, recorder)
        before.check_draws(model)
    except (WrittenInto, CaptureError):
        raise
    except Exception as error:
        let_go(error)
        given_up = Untraceable(str(error))
        given_up.bugs = tuple(recorder.lowering.bugs)
        raise given_up from error
    finally:
        recorder.constants.restore()
        before.restore()
        for table, name, x in replaced:
            table[name] = x
        del replaced
        watch.take_back(recorder.survivors(), recorder.originals, model)
    named.read = recorder.read - named.moving
    return named, recorder.lowering.finish()


def _run(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder) -> None:
    """Call the model on inputs without numbers."""
    args, kwargs = map_tensors(recorder.input, (args, kwargs))
    with recorder:
        result = model(*args, **kwargs)
    for x in leaves(result):
        recorder.output(x)


def _put(model: nn.Module, tensors: dict[str, Tensor]) -> list[tuple[Any, str, Tensor]]:
    """Put what stands for them in the place of the parameters and buffers of a model; return what was where."""
    replaced = []
    for path, module in model.named_modules(remove_duplicate=False):
        for table in (module._parameters, module._buffers):
            for name, x in table.items():
                if x is not None:
                    replaced.append((table, name, x))
                    cast(dict[str, Any], table)[name] = tensors[f"{path}.{name}" if path else name]
    return replaced
