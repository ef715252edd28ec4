"""`import parasym` imports nothing but itself, and its names are the same in every order of imports."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import parasym

ROOMS = [module.name for module in pkgutil.iter_modules(parasym.__path__) if module.ispkg]
IS_A_VERB = """
import types
assert type(parasym.find) is types.FunctionType and parasym.find.__module__.startswith("parasym.find."), parasym.find
assert type(parasym.verify) is types.FunctionType and parasym.verify.__module__.startswith("parasym.verify."), parasym.verify
from parasym import find, verify
assert (find, verify) == (parasym.find, parasym.verify)
assert sys.modules["parasym.find"].find is find
"""

ORDERS = (
    "import parasym",
    "import parasym.find.search",
    "import parasym; parasym.find; import parasym.find.search, parasym.verify.completeness",
    "from parasym.find import find; import parasym",
    "import importlib, parasym; importlib.import_module('parasym.find')",
    "import importlib, parasym.find, parasym.verify; [importlib.reload(sys.modules[f'parasym.{n}']) for n in ('find', 'verify')]",
    "import parasym.hopping, parasym.verify.report; import parasym.find",
    "import parasym.cli.find, parasym.cli.verify",
    "from parasym import *; import parasym.verify.report; import parasym",
    "import importlib, parasym.find.search; importlib.reload(parasym); import parasym.verify",
)


# Every process below is a fork of one that has the libraries and nothing of parasym.
FORKS = """
import os, sys, traceback
import numpy, torch, torch.export, torch.func, scipy.optimize
try:
    import matplotlib.pyplot
except ImportError:
    pass
assert not [name for name in sys.modules if name.startswith("parasym")]
for code in CODES:
    child = os.fork()
    if not child:
        try:
            exec(code)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"failed: {code}")
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=False)


def forks(*codes: str) -> subprocess.CompletedProcess[str]:
    return python(f"CODES = {codes!r}\n{FORKS}")


def test_a_verb_is_a_function_in_every_order_of_imports():
    without_the_guard = "import parasym\ndel type(parasym).__setattr__\nimport parasym.find.search\n"
    planted = f"try:\n    exec({without_the_guard + IS_A_VERB!r})\nexcept AssertionError:\n    os._exit(0)\nos._exit(1)"
    done = forks(*(order + IS_A_VERB for order in ORDERS), planted)
    assert done.returncode == 0, done.stderr


def test_the_top_needs_no_torch_until_a_name_is_used():
    done = python(
        "import parasym\nassert 'torch' not in sys.modules\ndir(parasym), parasym.__all__, parasym.__version__\n"
        "assert not hasattr(parasym, 'fnid') and 'torch' not in sys.modules\nparasym.barrier\nassert 'torch' in sys.modules"
    )
    assert done.returncode == 0, done.stderr


def test_every_room_can_be_the_first_and_is_an_attribute_of_the_top():
    assert len(ROOMS) > 15
    done = forks(*(f"import parasym\nassert parasym.{room}" for room in ROOMS))
    assert done.returncode == 0, done.stderr


def test_what_the_type_checker_reads_is_what_is_imported():
    (guard,) = [node for node in ast.parse(Path(parasym.__file__).read_text()).body if isinstance(node, ast.If)]
    typed = {alias.name: x.module for x in guard.body if isinstance(x, ast.ImportFrom) for alias in x.names}
    used = {name: f"parasym.{room}" for name, room in vars(parasym)["_ROOM_OF"].items()}
    assert typed == used
    assert set(parasym.__all__) == {*used, "__version__"} <= set(dir(parasym))


def test_an_unknown_name_is_said():
    with pytest.raises(AttributeError, match="module 'parasym' has no attribute 'fnid'"):
        parasym.fnid  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError, match="cannot import name 'fnid'"):
        from parasym import fnid  # noqa: F401  # pyright: ignore[reportAttributeAccessIssue]
