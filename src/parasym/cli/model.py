"""Load a model from ``package.module:factory``, ``file.py:factory`` or an exported ``.pt2``.

The first two are Python, which is run. The third is data, and read as such unless it is trusted.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from parasym.checkpoint.exported import ExportedModule, read_exported
from parasym.checkpoint.exported.refused import Refused
from parasym.circuits.source import is_circuit
from parasym.cli.progress import quiet_errors
from parasym.core import BadInputError, CheckpointError
from parasym.functional import Call, example_call
from parasym.functional.factory import called, factory_named, line_of

FORMS = "`package.module:factory`, `file.py:factory` or an exported `file.pt2`"


@dataclass(frozen=True)
class Loaded:
    """A model and what came with it.

    Attributes:
        model: The module, or a quantum circuit in any of its descriptions.
        program: The exported program, if the model is one.
        examples: The value of ``example_inputs``, or ``None``.
        exported: A program that was read as data, to be made into a program for other inputs.
        notes: Sentences for the user.
    """

    model: Any
    program: ExportedProgram | None
    examples: Any
    exported: ExportedModule | None = None
    notes: tuple[str, ...] = ()

    def made_for(self, spec: str, call: Call) -> "Loaded":
        """Return a program for other inputs, if it was read as data; anything else as it is.

        Args:
            spec: How the user named it.
            call: The inputs.

        Raises:
            BadInputError: If it does not run on them.
        """
        if self.exported is None:
            return self
        program = _program(self.exported, spec, call)
        return replace(self, model=program.module(), program=program)


def load_model(spec: str, *, trust: bool = False, inputs: bool = False) -> Loaded:
    """Return the model that ``spec`` names.

    A factory is a function without required arguments, a module class, a module, a circuit, or a QNode. Its inputs may be
    given by ``example_inputs`` on the model, on the factory, or at the top of its file: a tensor, a tuple of
    arguments, a dictionary of keyword arguments, or a function that returns one of these.

    Args:
        spec: ``package.module:factory``, ``file.py:factory`` or ``file.pt2``.
        trust: Whether code in a ``.pt2`` may be run; without, it is read as data.
        inputs: Whether a ``.pt2`` is looked at with other inputs than its own.

    Raises:
        BadInputError: If there is no such model, or building it fails; the message says where.
    """
    if spec.endswith(".pt2"):
        return _trusted(Path(spec)) if trust else _exported(Path(spec), inputs)
    module, factory = factory_named(spec, forms=FORMS)
    model = factory if isinstance(factory, nn.Module) or is_circuit(factory) else _build(factory, spec)
    holders = (model, factory, module)
    examples = next((h.example_inputs for h in holders if hasattr(h, "example_inputs")), None)
    if callable(examples):
        examples = called(examples, f"`example_inputs` of model `{spec}`")
    return Loaded(model, None, examples)


def _exported(path: Path, inputs: bool) -> Loaded:
    _ensure_file(path)
    try:
        found = read_exported(path)
    except Refused as error:
        raise BadInputError(
            f"Model `{path}` is more than data: {error}. Nothing in it was run. If you trust whoever made it, give --trust, "
            "which runs the code in it."
        ) from error
    except CheckpointError as error:
        raise BadInputError(
            f"Model `{path}` must be a file written by torch.export.save, but cannot be read as one: {error}. "
            f"Export it again with torch {torch.__version__}."
        ) from error
    loaded = Loaded(found.module, None, found.examples, found.module, found.notes)
    if inputs or found.examples is None:
        return loaded
    return loaded.made_for(str(path), example_call(found.examples, model=found.module))


def _program(module: ExportedModule, spec: str, call: Call) -> ExportedProgram:
    try:
        with quiet_errors(), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(module, call.args, call.kwargs, strict=False)
    except Exception as error:
        try:
            with torch.no_grad():
                call(module)
        except Exception as cause:
            raise BadInputError(
                f"Model `{spec}` does not run on the input {call}: {type(cause).__name__}: {line_of(cause)}. "
                "Leave --input out (the file has inputs of its own), or export it for these shapes."
            ) from cause
        raise BadInputError(
            f"Model `{spec}` runs, but cannot be exported anew: {type(error).__name__}: {line_of(error)}. If you trust whoever "
            "made it, give --trust."
        ) from error


def _ensure_file(path: Path) -> None:
    if not path.is_file():
        raise BadInputError(f"Model `{path}` must be a file written by torch.export.save, but does not exist.")


def _trusted(path: Path) -> Loaded:
    _ensure_file(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)  # of torch 2.11 about itself
            program = torch.export.load(path)
    except Exception as error:
        raise BadInputError(
            f"Model `{path}` must be a file written by torch.export.save, but cannot be read as one: {line_of(error)}. "
            f"Export it again with torch {torch.__version__}."
        ) from error
    return Loaded(program.module(), program, program.example_inputs)


def _build(factory: Any, spec: str) -> Any:
    if not callable(factory):
        raise BadInputError(f"Model `{spec}` must name a function, a class or a module, but names a {type(factory).__name__}.")
    model = called(factory, f"Model `{spec}`")
    if not isinstance(model, nn.Module) and not is_circuit(model):
        raise BadInputError(f"Model `{spec}` must return a torch.nn.Module, but returned a {type(model).__name__}.")
    return model
