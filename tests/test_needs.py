"""A missing package skips; one that is installed and broken does not."""

import sys

import pytest

from tests.needs import needs


def test_missing_or_broken(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('operator broken::nms does not exist')")
    (tmp_path / "lame_package.py").write_text("import no_such_package")
    (tmp_path / "whole_package.py").write_text("number = 3")
    with pytest.raises(RuntimeError, match="does not exist"):
        needs("broken_package")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        needs("lame_package")
    assert needs("whole_package").number == 3
    with pytest.raises(pytest.skip.Exception, match="no_such_package is not installed"):
        needs("no_such_package.part")
    sys.modules.pop("whole_package")
