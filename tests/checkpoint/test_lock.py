"""A lock holds for other processes, ends with its holder, and belongs to the file that is in place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parasym.checkpoint import lock
from parasym.checkpoint.lock import exclusive
from parasym.core import BadInputError

HOLDS = """
import sys
from pathlib import Path
from parasym.checkpoint.lock import exclusive
with exclusive(Path(sys.argv[1]), "File `f`"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_kept_out_until_the_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("kept")
    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BadInputError, match="File `f` is in use"), exclusive(path, "File `f`"):
            pass
        holder.kill()
    with exclusive(path, "File `f`"):
        assert path.read_text() == "kept"
    assert [file.name for file in tmp_path.iterdir()] == ["f"]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
def test_a_file_that_was_replaced_meanwhile_is_looked_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, new = tmp_path / "f", tmp_path / "new"
    path.touch()
    new.touch()
    real, inodes = lock._lock, []

    def slow(file: object) -> None:
        if not inodes:
            new.replace(path)  # the other process is faster
        inodes.append(os.fstat(file.fileno()).st_ino)  # pyright: ignore[reportAttributeAccessIssue]
        real(file)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(lock, "_lock", slow)
    with exclusive(path, "File `f`"):
        assert len(set(inodes)) == 2
        assert inodes[-1] == path.stat().st_ino
        monkeypatch.setattr(lock, "_lock", real)
        with pytest.raises(BadInputError, match="in use"), exclusive(path, "File `f`"):
            pass
