"""Files with inputs for a model of two arguments: those that stand for one call, and those that cannot be read or do not fit."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

G = torch.Generator().manual_seed(0)
A, B, Y = torch.randn(300, 6, generator=G), torch.randn(300, 4, generator=G), torch.arange(300)
HALVES = [slice(0, 200), slice(200, 300)]


def npz(path: str, *args: Tensor, **kwargs: Tensor) -> None:
    np.savez_compressed(path, *(x.numpy() for x in args), **{n: x.numpy() for n, x in kwargs.items()})  # pyright: ignore[reportArgumentType]


FORMS: dict[str, Callable[[], object]] = {
    "tuple.pt": lambda: torch.save((A, B), "tuple.pt"),
    "list.pth": lambda: torch.save([A, B], "list.pth", _use_new_zipfile_serialization=False),
    "labelled.pt": lambda: torch.save((A, B, torch.ones(300, 8), Y), "labelled.pt"),
    "pair.pt": lambda: torch.save(((A, B), Y), "pair.pt"),
    "named.pt": lambda: torch.save({"b": B, "a": A, "labels": Y}, "named.pt"),
    "arrays.pt": lambda: torch.save({"b": B.numpy(), "a": A.numpy()}, "arrays.pt"),
    "call.pt": lambda: torch.save(((A,), {"b": B}), "call.pt"),
    "named.safetensors": lambda: save_file({"b": B, "a": A}, "named.safetensors"),
    "numbers.safetensors": lambda: save_file({"1": B, "0": A}, "numbers.safetensors"),
    "args.safetensors": lambda: save_file({"arg0": A, "b": B}, "args.safetensors"),
    "named.npz": lambda: npz("named.npz", b=B, a=A),
    "numbers.npz": lambda: npz("numbers.npz", A, B),
    "double.npz": lambda: npz("double.npz", A.double(), b=B.double()),
}
"""Files of one call; all stand for `model(A, B)`."""

BAD: list[tuple[str, Callable[[], object], str]] = [
    ("none.pt", lambda: None, "`none.pt` must be a file, but does not exist"),
    ("nets.py", lambda: None, "`nets.py` is none of the kinds that are read"),
    (
        "cut.npy",
        lambda: (np.save("x.npy", A.numpy()), Path("cut.npy").write_bytes(Path("x.npy").read_bytes()[:500])),
        "`cut.npy`",
    ),
    ("objects.npy", lambda: np.save("objects.npy", np.array([{}], dtype=object)), "it holds pickled objects, not numbers"),
    ("texts.npz", lambda: np.savez("texts.npz", a=np.array(["x"])), "its array `a`: it holds entries of the type <U1"),
    ("c.pt", lambda: torch.save({"a": A, "b": B, "c": B}, "c.pt"), "knows no `c`; it takes `a`, `b`, `gain`"),
    ("one.npy", lambda: np.save("one.npy", A.numpy()), "needs `b`, which was not given"),
    (
        "gap.safetensors",
        lambda: save_file({"0": A, "2": B}, "gap.safetensors"),
        "must be 0, 1, ... without a gap, but are `0`, `2`",
    ),
    (
        "twice.safetensors",
        lambda: save_file({"0": A, "1": B, "b": B.clone()}, "twice.safetensors"),
        "was given `b` by position and by name",
    ),
    ("nan.pt", lambda: torch.save((A, B / 0 * 0), "nan.pt"), "1200 of a tensor of shape (300, 4) are NaN"),
    ("empty.pt", lambda: torch.save((A[:0], B[:0]), "empty.pt"), "must hold samples along the first axis"),
    ("number.pt", lambda: torch.save(3, "number.pt"), "must hold tensors, but holds"),
    ("nothing.pt", lambda: torch.save([], "nothing.pt"), "must hold tensors, but holds a list without any"),
    (
        "foreign.pt",
        lambda: torch.save({"a": A, "b": argparse.Namespace()}, "foreign.pt"),
        "holds `argparse.Namespace`, which is left unbuilt",
    ),
    ("narrow.pt", lambda: torch.save((A[:, :5], B), "narrow.pt"), "does not run on the input 256x5:"),
    ("lengths.pt", lambda: torch.save((A, B[:7]), "lengths.pt"), "does not run on the input 300x6:"),
    ("sparse.pt", lambda: torch.save((A.to_sparse(), B), "sparse.pt"), "a sparse tensor"),
]
