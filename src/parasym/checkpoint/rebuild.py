"""What a pickle holds, made from its tree: tensors and plain values; whatever else it names stays unbuilt."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.checkpoint.pickled import Call, Name, Reference
from parasym.core import CheckpointError

DTYPES: dict[str, torch.dtype] = {
    str(value).removeprefix("torch."): value for value in vars(torch).values() if isinstance(value, torch.dtype)
}
STORAGES: dict[str, torch.dtype | None] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "QInt8Storage": torch.int8,
    "QUInt8Storage": torch.uint8,
    "QInt32Storage": torch.int32,
    "UntypedStorage": None,
}
"""What the numbers of a storage are, by the name of its class."""


@dataclass(frozen=True)
class Foreign:
    """Something that was left unbuilt.

    Attributes:
        what: The name of its class, or what it is.
        tensor: Whether it is a tensor of a kind that is not read.
    """

    what: str
    tensor: bool = False


@dataclass(frozen=True, eq=False)
class Storage:
    """The memory that tensors are cut from.

    Attributes:
        memory: Bytes, of shape ``[n]``.
        dtype: What they are; ``None`` if the tensors say so.
    """

    memory: Tensor
    dtype: torch.dtype | None

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 1 if self.dtype is None else self.dtype.itemsize


def bytes_tensor(data: bytearray) -> Tensor:
    """Return bytes as a tensor that shares their memory.

    Args:
        data: The bytes.
    """
    return torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


class Rebuild:
    """Makes values from the tree of a pickle.

    Args:
        storage: Gives the storage (or the tensor) that a reference stands for.
        makers: Further calls that are known to make data.
    """

    def __init__(self, storage: Callable[[Any], Any], makers: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self._storage = storage
        self._makers = {**MAKERS, **(makers or {})}
        self._made: dict[int, Any] = {}
        self._alive: list[Any] = []  # values are known by their addresses, so no node may go

    def value(self, node: Any) -> Any:
        """Return what a node stands for.

        Args:
            node: Of the tree of :func:`parasym.checkpoint.pickled.read_pickle`.

        Raises:
            CheckpointError: If a tensor reaches beyond its storage, or is otherwise impossible.
        """
        if isinstance(node, (str, bytes, bytearray, int, float, bool, type(None))):
            return node
        if id(node) not in self._made:
            self._alive.append(node)
            if isinstance(node, list):
                self._made[id(node)] = found = []
                found += [self.value(part) for part in node]
            elif isinstance(node, dict):
                self._made[id(node)] = found = {}
                self._fill(found, list(node.items()))
            else:
                self._made[id(node)] = self._other(node)
        return self._made[id(node)]

    def _fill(self, found: dict[Any, Any], pairs: list[tuple[Any, Any]]) -> None:
        for key, value in pairs:
            key = self.value(key)
            # What cannot be a key in Python could not have been one when the file was written.
            found[key if isinstance(key, (str, bytes, int, float, bool, tuple, type(None))) else Foreign(str(key))] = self.value(
                value
            )

    def _other(self, node: Any) -> Any:
        if isinstance(node, tuple):
            return tuple(self.value(part) for part in node)
        if isinstance(node, Reference):
            return self._storage(self.value(node.key))
        if isinstance(node, Name):
            return _named(node)
        if isinstance(node, Call):
            return self._called(node)
        return Foreign(type(node).__name__)

    def _called(self, call: Call) -> Any:
        of = self.value(call.function) if isinstance(call.function, Reference) else call.function
        name = str(of) if isinstance(of, Name) else of.what if isinstance(of, Foreign) else ""
        maker = self._makers.get(name)
        if maker is not None:
            try:
                return maker(*self.value(call.args), **_given(self, call))
            except CheckpointError:
                raise
            except Exception as error:  # a maker is handed anything by a damaged file
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise CheckpointError(f"`{name}` has arguments that are no tensor ({lines[0]})") from error
        if call.pairs:
            found: dict[Any, Any] = {}
            self._fill(found, call.pairs)
            return found
        return Foreign(name or "what a call returns")


def _given(rebuild: Rebuild, call: Call) -> dict[str, Any]:
    parts = {"states": call.states, "items": call.items, "pairs": call.pairs}
    return {key: [rebuild.value(x) for x in value] for key, value in parts.items() if value}


def _named(name: Name) -> Any:
    if name.module in {"torch", "torch.storage"} and name.name in STORAGES:
        return Storage(torch.empty(0, dtype=torch.uint8), STORAGES[name.name])
    if name.module == "torch" and name.name in DTYPES:
        return DTYPES[name.name]
    return Foreign(str(name))


def _tensor(storage: Storage, offset: int, size: Any, stride: Any, *rest: Any, **_: Any) -> Tensor:
    """Cut a tensor from its storage; what follows are flags of autograd, and marks of a view that conjugates or negates."""
    return cut(storage, storage.dtype, offset, size, stride, rest[2] if len(rest) > 2 else None)


def _tensor_with_dtype(storage: Storage, offset: int, size: Any, stride: Any, *rest: Any, **_: Any) -> Tensor:
    return cut(storage, rest[2], offset, size, stride, rest[3] if len(rest) > 3 else None)


def cut(storage: Storage, dtype: torch.dtype | None, offset: int, size: Any, stride: Any, marks: Any = None) -> Tensor:
    """Return a tensor that looks at memory; torch checks that it stays within.

    Args:
        storage: The memory.
        dtype: What the numbers are.
        offset: Where it begins, in numbers.
        size: Lengths of its axes.
        stride: Steps of its axes.
        marks: Whether it conjugates (``conj``) or negates (``neg``) what it looks at.

    Raises:
        CheckpointError: If it has no precision or a negative size.
    """
    if dtype is None:
        raise CheckpointError("a tensor has no precision")
    if min((offset, *size, *stride), default=0) < 0:
        raise CheckpointError("a tensor has a negative size")
    found = storage.memory[: storage.memory.numel() // dtype.itemsize * dtype.itemsize]
    found = found != 0 if dtype is torch.bool else found.view(dtype)  # a truth value has two values, a byte 256
    found = found.as_strided(tuple(size), tuple(stride), offset)  # torch checks that it stays within
    found = found.conj().resolve_conj() if marks and marks.get("conj") else found
    return -found if marks and marks.get("neg") else found


def _first(value: Any, *_: Any, **__: Any) -> Any:
    return value


def _of_type(function: Any, kind: Any, args: Any, *_: Any, **__: Any) -> Any:
    plain = {"torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"}
    if isinstance(kind, Foreign) and kind.what in plain and isinstance(function, Foreign) and function.what in MAKERS:
        return MAKERS[function.what](*args)
    return Foreign(f"a tensor of the class {kind.what}" if isinstance(kind, Foreign) else "a tensor of some class", tensor=True)


def _dictionary(*args: Any, pairs: Any = (), **_: Any) -> dict[Any, Any]:
    begin = args[0] if args and isinstance(args[0], (dict, list)) else {}
    return {**dict(begin), **dict(pairs)}


def _list(*args: Any, items: Any = (), **_: Any) -> list[Any]:
    return [*(args[0] if args else ()), *items]


def _bytes(text: str, _encoding: str = "latin1", **_: Any) -> bytes:
    return text.encode("latin1")


def _dtype(name: Any, *_: Any, states: Any = (), **__: Any) -> Any:
    if not isinstance(name, str) or not re.fullmatch(r"[<>=|]?[biufcSU?]\d{0,4}", name):
        return Foreign(f"numpy.dtype of {name}")
    order = states[0][1] if states else "="
    return np.dtype(name).newbyteorder(order if order in {"<", ">"} else "=")


def _scalar(dtype: Any, data: Any = b"", *_: Any, **__: Any) -> Any:
    if not isinstance(dtype, np.dtype):
        return Foreign("numpy.generic")
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype, 1)[0].item()


def _array(*_: Any, states: Any = (), **__: Any) -> Any:
    if not states:
        return Foreign("numpy.ndarray")
    _, shape, dtype, by_columns, data = states[0]
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc" or not isinstance(data, (bytes, bytearray, str)):
        return Foreign("numpy.ndarray of objects")
    return _buffer(data, dtype, shape, "F" if by_columns else "C")


def _buffer(data: Any, dtype: Any, shape: Any, order: Any = "C", **_: Any) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc":
        return Foreign("numpy.ndarray of objects")
    raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
    return np.frombuffer(raw, dtype).reshape(tuple(shape), order=order).astype(dtype.newbyteorder("="))


def _sparse_rows(*_: Any, states: Any = (), **__: Any) -> Any:
    """Make a sparse tensor from a matrix of scipy, which a pickle holds as the parts of its rows."""
    parts = states[0] if states and isinstance(states[0], dict) else {}
    if not all(isinstance(parts.get(name), np.ndarray) for name in ("indptr", "indices", "data")):
        return Foreign("a sparse matrix of scipy")
    size = tuple(int(n) for n in parts.get("_shape", parts.get("shape", ())))
    rows = np.repeat(np.arange(size[0]), np.diff(parts["indptr"]))
    places = torch.from_numpy(np.stack([rows, parts["indices"]]).astype(np.int64))
    return torch.sparse_coo_tensor(places, torch.from_numpy(parts["data"]), size, check_invariants=True)


def _reconstructed(kind: Any, *_: Any, states: Any = (), **__: Any) -> Any:
    """Make what the oldest pickles hold in the place of a class; only matrices are known."""
    name = kind.what if isinstance(kind, Foreign) else "what a call returns"
    return _sparse_rows(states=states) if name in SPARSE else Foreign(name)


def _left(what: str) -> Callable[..., Foreign]:
    return lambda *_, **__: Foreign(what, tensor=True)


SPARSE = frozenset(f"scipy.sparse.{module}.{kind}" for module in ("csr", "_csr") for kind in ("csr_matrix", "csr_array"))
MAKERS: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_with_dtype,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _first,
    "torch._utils._rebuild_device_tensor_from_numpy": _first,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    "torch._utils._rebuild_sparse_tensor": _left("a sparse tensor"),
    "torch._utils._rebuild_sparse_csr_tensor": _left("a sparse tensor"),
    "torch._utils._rebuild_nested_tensor": _left("a nested tensor"),
    "torch._utils._rebuild_qtensor": _left("a quantized tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": _left("a tensor without numbers, of the meta device"),
    "torch._utils._rebuild_wrapper_subclass": _left("a tensor of some class"),
    "torch.Size": _list,
    "torch.device": lambda *args, **_: ":".join(map(str, args)),
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.deque": _list,
    **{f"{module}.{kind}": _list for module in ("builtins", "__builtin__") for kind in ("set", "frozenset", "list", "tuple")},
    "builtins.dict": _dictionary,
    "builtins.complex": lambda real, imag, **_: complex(real, imag),
    "builtins.bytearray": lambda data=b"", *_, **__: bytes(data) if isinstance(data, (bytes, bytearray)) else _bytes(data),
    "_codecs.encode": _bytes,
    **{
        f"{package}.{name}": maker
        for package in ("numpy.core", "numpy._core")
        for name, maker in (("multiarray.scalar", _scalar), ("multiarray._reconstruct", _array), ("numeric._frombuffer", _buffer))
    },
    "numpy.dtype": _dtype,
    **dict.fromkeys(SPARSE, _sparse_rows),
    **{f"{module}._reconstructor": _reconstructed for module in ("copyreg", "copy_reg")},
}
"""The calls that are known to make data, and how it is made here; none of them calls what the file names."""
