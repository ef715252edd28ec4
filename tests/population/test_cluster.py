"""Connections to a cluster: refused in one line within seconds; drivers, heads and workers that die."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import warnings
from functools import partial
from pathlib import Path

import pytest

from parasym.core import BadInputError, CheckpointError
from parasym.population import TrainingPlan, train_population
from parasym.population.cluster import connect
from tests.population.networks import data, perceptron

ray = pytest.importorskip("ray")
PLAN = TrainingPlan(epochs=2, batch=16)
DRIVER = """
    import sys
    from parasym.core import SymmetryError
    from parasym.population import TrainingPlan, train_population
    from tests.population.networks import data, normalized
    try:
        train_population(normalized, *data(), seeds=range(4), plan=TrainingPlan(epochs=int(sys.argv[2]), batch=16, rate=1e-2),
                         way="loop", address=sys.argv[1], checkpoint=sys.argv[3])
    except SymmetryError as error:
        sys.exit(f"refused: {error}")
"""


@pytest.fixture
def environment():
    places = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    return os.environ | {"PYTHONPATH": places, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("127.0.0.1:1", "cannot be reached: Connection refused"),
        ("nowhere", "must be 'local', 'auto' or 'host:port'"),
        ("192.0.2.77", "must be 'local', 'auto' or 'host:port'"),
    ],
)
def test_a_wrong_address_is_one_line(address, match):
    with pytest.raises(BadInputError, match=match), connect(address):
        pass


def test_somebody_else_answers(monkeypatch):
    monkeypatch.setattr("parasym.population.cluster.PATIENCE", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        with pytest.raises(BadInputError, match="does not answer as Ray does"), connect(f"127.0.0.1:{server.getsockname()[1]}"):
            pass
    assert time.monotonic() - start < 10


@pytest.mark.filterwarnings("ignore")
def test_connected_already(monkeypatch, environment, tmp_path):
    """GPUs of a cluster count, not those of this machine; what a worker refuses is the same error here."""
    for name in ("PYTHONPATH", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.setenv(name, environment[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(
            address="local", num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="critical"
        )  # fmt: skip
        try:
            with pytest.raises(BadInputError, match=r"connected to the Ray cluster at"), connect("127.0.0.1:9"):
                pass
            here = ray.get_runtime_context().gcs_address
            with connect(here) as cluster:
                assert cluster.gpus == 1
            with pytest.raises(BadInputError, match=r"its torch has no CUDA"):
                train_population(perceptron, *data(), seeds=(0,), plan=PLAN, address="auto", device="cuda")
            run = partial(train_population, perceptron, *data(), seeds=(0,), device="cpu", checkpoint=tmp_path / "c.safetensors")
            run(plan=PLAN, address="auto")
            with pytest.raises(CheckpointError, match="plan differs"):
                run(plan=TrainingPlan(epochs=3), address="local")
        finally:
            ray.shutdown()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(path: Path, seconds: float = 90.0) -> None:
    until = time.monotonic() + seconds
    while not list(path.parent.glob(path.name)):
        assert time.monotonic() < until, "nothing was written"
        time.sleep(0.2)


def driver(environment, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_driver_is_killed(environment, tmp_path):
    path = tmp_path / "c.safetensors"
    process = driver(environment, "local", 3000, path)
    wait_for(tmp_path / "c-0-*.safetensors")
    assert len(workers(environment)) > 0
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until = time.monotonic() + 30
    while workers(environment) and time.monotonic() < until:
        time.sleep(0.5)
    assert not workers(environment), "workers outlive the driver"
    again = driver(environment, "local", 20, path)
    _, said = again.communicate(timeout=200)
    assert "plan differs" in said, "it took up the checkpoint of the parts"


def workers(environment) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True, env=environment).stdout
    return [line for line in listed.splitlines() if line.startswith("ray::_train_part")]


@pytest.mark.slow
def test_the_head_is_killed(environment, tmp_path):
    port, path = free_port(), tmp_path / "c.safetensors"
    start = [
        str(Path(sys.executable).parent / "ray"), "start", "--head", "--port", str(port), "--num-cpus", "2",
        "--include-dashboard=false", "--disable-usage-stats", "--block",
    ]  # fmt: skip
    head = subprocess.Popen(start, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    begun: list[int] = []
    try:
        wait_for_port(port, head)
        process = driver(environment, f"127.0.0.1:{port}", 3000, path)
        wait_for(tmp_path / "c-0-*.safetensors")
        begun = descendants(head.pid)
        subprocess.run(["pkill", "-9", "-f", f"gcs_server.*{port}"], check=True)
        begin = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - begin < 45
        assert process.returncode == 1
        refused = [line for line in said.splitlines() if line.startswith("refused: ")]
        assert len(refused) == 1
        assert "cluster" in refused[0]
    finally:
        for pid in [*descendants(head.pid), *begun, head.pid]:  # those of this head: `ray stop` would end all of the machine
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        head.wait()


def wait_for_port(port: int, head: subprocess.Popen, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert head.poll() is None, "the head did not start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.5)
    pytest.fail("the head does not listen")


def descendants(pid: int) -> list[int]:
    """The processes that a process began, and those that they began."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines()[1:])}
    found = [child for child, parent in parents.items() if parent == pid]
    return [*found, *(one for child in found for one in descendants(child))]
