"""Packages that only some tests need: missing, the test skips; installed and broken, it fails loudly."""

import importlib
import importlib.util
import warnings
from types import ModuleType
from typing import Any

import pytest
import torch

_KEPT: list[torch.library.Library] = []


def needs(name: str) -> Any:
    """Return a module of a package that may be missing.

    A package that is there but cannot be imported is an error here, and not a reason to skip: whoever installed it expects its
    tests to run.

    Args:
        name: Of the module, as in ``"pyarrow.parquet"``.
    """
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed", allow_module_level=True)
    if package in {"torchvision", "transformers"}:
        _declare_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a package warns of while it is imported is its own affair
        module: ModuleType = importlib.import_module(name)
    return module


def _declare_operators() -> None:
    # The registry's torchvision is a GPU build: on a CPU build of torch it imports, and so does what imports it, only
    # after these two operators are declared.
    if torch.version.cuda is None and not _KEPT:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
