"""The model a command works on, with inputs, in evaluation mode and in one precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from parasym.circuits.source import is_circuit
from parasym.cli.inputs import parse_inputs
from parasym.cli.model import Loaded, load_model
from parasym.cli.progress import quiet_errors, working
from parasym.core import BadInputError, CaptureError, child_generator
from parasym.find import find
from parasym.functional import Call, example_call
from parasym.functional.file import BATCH, read_inputs
from parasym.functional.run import running
from parasym.symmetry import Symmetry

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Subject:
    """A model ready to be looked at.

    Attributes:
        spec: How the user named it.
        model: The module.
        program: The exported program, if it is one.
        call: Its inputs, on its device.
        notes: Sentences for the user.
        data: Batches from a file, if one was given.
    """

    spec: str
    model: nn.Module
    program: ExportedProgram | None
    call: Call
    notes: tuple[str, ...] = ()
    data: list[Call] | None = None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return _device(self.model)


def load(spec: str, *, trust: bool = False, inputs: bool = False) -> Loaded:
    """Return what ``spec`` names, a network or a circuit.

    Args:
        spec: See :func:`parasym.cli.model.load_model`.
        trust: See there.
        inputs: See there.
    """
    with working("Loading the model"):
        return load_model(spec, trust=trust, inputs=inputs)


def load_subject(
    spec: str,
    inputs: list[str],
    *,
    data: Path | None = None,
    seed: int = 0,
    train: bool = False,
    trust: bool = False,
    loaded: Loaded | None = None,
) -> Subject:
    """Return the model that ``spec`` names, with inputs.

    It is put into evaluation mode unless ``train``; a model in half precision is turned to float32;
    inputs go to the device of its parameters.

    Args:
        spec: See :func:`parasym.cli.model.load_model`.
        inputs: See :func:`parasym.cli.inputs.parse_inputs`; if empty, the first batch of the data, else the model's
            ``example_inputs``.
        data: A file with inputs; see :func:`parasym.functional.read_inputs`.
        seed: Seed of random inputs.
        train: Whether to keep batch statistics and the like.
        trust: Whether code in a ``.pt2`` may be run.
        loaded: What the name stands for, if it was loaded already.

    Raises:
        BadInputError: If the model or its inputs cannot be had.
    """
    loaded = loaded or load(spec, trust=trust, inputs=bool(inputs or data))
    if is_circuit(loaded.model):
        raise BadInputError(f"Model `{spec}` is a circuit, but this command is for networks. `find` and `verify` take circuits.")
    model, notes = loaded.model, [f"{spec}: {note}" for note in loaded.notes]
    if spec.endswith(".pt2"):
        notes += ["an exported program is in the mode it was exported in: --train-mode changes nothing"] if train else []
    else:
        model.train(train)
        if any(p.dtype in HALF for p in model.parameters()):
            model = model.float()
            notes.append("the model is in half precision: computed in float32")
    dtype = next((p.dtype for p in model.parameters() if p.dtype.is_floating_point), torch.float32)
    found = None if data is None else read_inputs(data, model, size=_samples(loaded) or BATCH)
    notes += () if found is None else found.notes
    if inputs:
        call = parse_inputs(inputs, dtype=dtype, generator=child_generator(seed, "input"))
    elif found is not None:
        call = found.batches[0]
        notes += [f"inputs are the first of {len(found.batches)} batches of {data}"] if len(found.batches) > 1 else []
    elif loaded.examples is not None:
        call = example_call(loaded.examples, model=model)
    else:
        raise BadInputError(
            f"Model `{spec}` needs inputs: give --input with a shape such as `--input 1x3x224x224` (once per argument), "
            "--data with a file, or set `example_inputs` in its file."
        )
    device = _device(model)
    call = call.map(lambda x: x.to(device, dtype) if x.dtype in HALF else x.to(device))
    if loaded.program is None:
        loaded = loaded.made_for(spec, call)
    batches = None if found is None else found.batches
    return Subject(spec, loaded.model if loaded.program else model, loaded.program, call, tuple(notes), batches)


def _samples(loaded: Loaded) -> int | None:
    """Return how many samples a program was exported for: it may take no other number."""
    if loaded.examples is None or (loaded.exported is None and loaded.program is None):
        return None
    return example_call(loaded.examples, model=loaded.model).samples


def find_symmetry(subject: Subject, *, check: bool = False) -> Symmetry:
    """Return the symmetry of the model.

    Args:
        subject: The model.
        check: Whether to try it on numbers.

    Raises:
        BadInputError: If the model does not run on its inputs.
        CaptureError: If it runs but cannot be captured.
    """
    source = subject.model if subject.program is None else subject.program
    if subject.program is not None:
        run_model(subject)  # its graph is read as it is: inputs that it refuses would not be noticed
    with working("Finding the symmetry"), blaming_inputs(subject), quiet_errors():
        return find(source, subject.call, check=check)


@contextmanager
def blaming_inputs(subject: Subject) -> Iterator[None]:
    """Where the body fails, see whether the model runs on its inputs at all, and if not, say that instead.

    Args:
        subject: The model.

    Raises:
        BadInputError: If the body fails and the model does not run.
    """  # noqa: DOC501 (errors of the body pass through)
    try:
        yield
    except (CaptureError, BadInputError, RuntimeError, TypeError, IndexError, AttributeError, AssertionError):
        run_model(subject)
        raise


def run_model(subject: Subject) -> Any:
    """Return the output of the model on its inputs.

    Args:
        subject: The model.

    Raises:
        BadInputError: If it fails; the message has the shapes and the model's own words.
    """
    remedy = (
        "Give the shapes, and dtypes such as `1x16:int64<1000` for tokens, that its forward expects with --input or --data."
        if subject.program is None
        else "Leave --input out (the file has inputs of its own), or export it for these shapes."
    )
    with torch.no_grad(), running(f"Model `{subject.spec}`", subject.call, remedy):
        return subject.call(subject.model)


def ensure_values(subject: Subject) -> None:
    """Check that the model can be run.

    Args:
        subject: The model.

    Raises:
        BadInputError: If it is on the meta device.
    """
    if subject.device.type == "meta":
        raise BadInputError(
            f"Model `{subject.spec}` is on the meta device, which is enough for `find`, but here it is run: "
            "let the factory build it on the CPU."
        )


def _device(model: nn.Module) -> torch.device:
    tensors = [*model.parameters(), *model.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")
