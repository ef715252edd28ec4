"""Read a program of ``torch.export.save`` as data.

``torch.export.load`` runs code that the file holds in at least six ways: expressions of shapes are evaluated by sympy, guards are
executed, names become part of generated code, any attribute of ``torch`` can be called as an operation, any module can be
imported for an enumeration among the arguments, and inputs and objects are pickles. Here the graph is read as a list of
operations, each looked up in :mod:`parasym.checkpoint.exported.operators`; expressions, guards and metadata are not read at all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parasym.checkpoint.archive import Archive
from parasym.checkpoint.exported.argument import only
from parasym.checkpoint.exported.graph import read_graph
from parasym.checkpoint.exported.module import ExportedModule, Form
from parasym.checkpoint.exported.refused import Refused
from parasym.checkpoint.exported.tree import read_tree
from parasym.checkpoint.exported.weights import NAME, read_json, read_tensors
from parasym.checkpoint.names import some_names
from parasym.checkpoint.torch_zip import read_torch_zip
from parasym.core import CheckpointError

WEIGHTS, CONSTANTS, EXAMPLES = "data/weights", "data/constants", "data/sample_inputs"
MODELS, SCHEMA = "models/", 8
SERVICE = frozenset("archive_format archive_version byteorder version .data/version .data/serialization_id".split())
KINDS = ("parameter", "buffer", "tensor_constant", "user_input", "constant_input")


@dataclass(frozen=True)
class Exported:
    """A program.

    Attributes:
        module: The program as a module; a state dict of it has the names of the module that was exported.
        examples: The arguments and keyword arguments it was exported with, if they are data.
        notes: Sentences for the user.
    """

    module: ExportedModule
    examples: tuple[tuple[Any, ...], dict[str, Any]] | None
    notes: tuple[str, ...]


def read_exported(path: Path) -> Exported:
    """Return the program of a file; nothing in the file is run.

    Args:
        path: A file of ``torch.export.save``.

    Raises:
        CheckpointError: If it is damaged, or no such file.
        Refused: If it needs more than operations of torch on tensors and numbers.
    """
    archive = Archive(path)
    model = model_of(archive)
    try:
        return _read(archive, model)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise CheckpointError(f"its program is not of the form that torch.export.save writes ({error!r})") from error


def model_of(archive: Archive) -> str:
    """Return the name of the only program of an archive.

    Args:
        archive: The file.

    Raises:
        CheckpointError: If it holds none or several.
    """
    models = [name for name in archive.members if name.startswith(MODELS) and name.endswith(".json")]
    if len(models) != 1:
        raise CheckpointError(f"it must hold one program, but holds {len(models)}")
    return models[0].removeprefix(MODELS).removesuffix(".json")


def _read(archive: Archive, model: str) -> Exported:
    program = read_json(archive, f"{MODELS}{model}.json")
    version = program["schema_version"]["major"]
    if version != SCHEMA:
        raise Refused(f"its program is written in version {version} of the format, and version {SCHEMA} is read")
    inside = program["graph_module"]
    constants = read_tensors(archive, CONSTANTS, model)
    tensors = {**constants, **read_tensors(archive, WEIGHTS, model)}
    signature = inside["signature"]
    inputs = tuple(_input(spec) for spec in signature["input_specs"])
    lacking = [name for kind, name in inputs if kind in KINDS[:3] and name not in tensors]
    if lacking:
        raise CheckpointError(f"it lacks the tensors {some_names(lacking)}")
    buffers = [spec["buffer"] for spec in signature["input_specs"] if "buffer" in spec]
    persistent = {buffer["buffer_name"]: bool(buffer["persistent"]) for buffer in buffers}
    for name, value in tensors.items():
        if not isinstance(value, torch.nn.Parameter) and name not in persistent and name not in constants:
            persistent[name] = True  # of a state dict, and read by nothing
    call = inside["module_call_graph"][0]["signature"]
    users = [spec["user_input"]["arg"] for spec in signature["input_specs"] if "user_input" in spec]
    form = Form(
        arguments=read_tree(call["in_spec"]),
        results=read_tree(call["out_spec"], results=True),
        names=tuple(call.get("forward_arg_names") or ()),
        inputs=inputs,
        outputs=_outputs(signature, users),
        sizes=tuple(_sizes(arg, inside["graph"]["tensor_values"]) for arg in users),
    )
    module = ExportedModule(read_graph(inside["graph"]), form, tensors, persistent)
    examples, notes = _examples(archive, model)
    guards = program.get("guards_code") or []
    notes += (f"{len(guards)} checks of its inputs are code and were not run",) if guards else ()
    return Exported(module, examples, (*notes, *unread_members(archive, model)))


def _input(spec: Any) -> tuple[str, Any]:
    kind, about = only(spec)
    if kind not in KINDS:
        raise Refused(f"it has an input of the kind `{kind}`, which is no data")
    if kind == "user_input":
        return kind, None
    if kind == "constant_input":
        return kind, about["value"]
    name = about[{"parameter": "parameter_name", "buffer": "buffer_name"}.get(kind, "tensor_constant_name")]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(f"it has a tensor with the name {name!r}, which is no plain name")
    return kind, name


def _outputs(signature: Any, users: list[Any]) -> tuple[tuple[str, Any], ...]:
    places = {only(arg)[1].get("name"): place for place, arg in enumerate(users) if isinstance(only(arg)[1], dict)}
    found = []
    for spec in signature["output_specs"]:
        kind, about = only(spec)
        if kind == "user_output":
            found.append((kind, None))
        elif kind in {"buffer_mutation", "parameter_mutation"}:
            found.append((kind, about[kind.replace("mutation", "name")]))
        elif kind == "user_input_mutation":
            found.append((kind, places[about["user_input_name"]]))
        else:
            raise Refused(f"it has an output of the kind `{kind}`, which is not read")
    return tuple(found)


def _sizes(arg: Any, known: Any) -> tuple[int | None, ...] | None:
    kind, about = only(arg)
    if kind != "as_tensor":
        return None
    return tuple(each.get("as_int") for each in known[about["name"]]["sizes"])


def _examples(archive: Archive, model: str) -> tuple[Any, tuple[str, ...]]:
    place = f"{EXAMPLES}/{model}.pt"
    if place not in archive.members or not archive.members[place].file_size:
        return None, ()
    try:
        content = read_torch_zip(bytes(archive.read(place))).content
    except CheckpointError as error:
        return None, (f"its example inputs are left unread: {error}",)
    pair = isinstance(content, (tuple, list)) and len(content) == 2
    if not pair or not isinstance(content[0], (tuple, list)) or not isinstance(content[1], dict) or not _is_data(content):
        return None, ("its example inputs are left unread: they are objects of classes",)
    return (tuple(content[0]), content[1]), ()


def _is_data(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_data(part) for key, part in value.items())
    if isinstance(value, (tuple, list)):
        return all(map(_is_data, value))
    return isinstance(value, (Tensor, int, float, bool, str, type(None)))


def unread_members(archive: Archive, model: str) -> tuple[str, ...]:
    """Return sentences on what is beside the program, and on its checksums.

    Args:
        archive: The file.
        model: Name of the program.
    """
    known = (f"{WEIGHTS}/", f"{CONSTANTS}/", f"{EXAMPLES}/{model}.pt", f"{MODELS}{model}.json")
    left = [name for name in archive.members if name not in SERVICE and not name.startswith(known)]
    notes = (f"{len(left)} members left unread: {some_names(left)}",) if left else ()
    return notes if archive.checked else (*notes, "the file was written without checksums, so damage cannot be noticed")
