"""Packages that only some tests need: missing, the test skips; installed and broken, it fails loudly."""

import importlib
import importlib.util
import warnings
from types import ModuleType
from typing import Any

import pytest


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a package warns of while it is imported is its own affair
        module: ModuleType = importlib.import_module(name)
    return module
