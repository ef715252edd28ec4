"""A Ray cluster as an executor: connect within seconds or say why not, run tasks, replace workers that die."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from parasym.core import BadInputError, SymmetryError

RETRIES = 3
"""How often the task of a dead worker is given to another."""
PATIENCE = 15.0
"""Seconds to wait for a cluster to answer, before and while tasks run."""
PROBE = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='critical'); ray.shutdown()"


@dataclass(frozen=True)
class Cluster:
    """A connection to a cluster.

    Attributes:
        ray: The library.
        head: Host and port of the head, to see whether it is still there; ``None`` if it is not known.
    """

    ray: Any
    head: tuple[str, int] | None

    @property
    def gpus(self) -> int:
        """How many GPUs the cluster has, whatever this machine has."""
        return int(self.ray.cluster_resources().get("GPU", 0))

    def share(self, value: Any) -> Any:
        """Return a reference to a value that every worker reads once.

        Args:
            value: Anything that can be pickled.
        """
        return self.ray.put(value)

    def run(
        self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, gpu: bool = False, retries: int = RETRIES
    ) -> Iterator[tuple[int, Any]]:
        """Yield the index and the result of every task, as they come.

        Args:
            function: What to call.
            tasks: Its arguments, task by task.
            gpu: Whether each task gets a GPU.
            retries: How often the task of a dead worker is given to another.

        Raises:
            SymmetryError: If a task refuses its input, as the task says it.
            BadInputError: If a task fails otherwise, workers die again and again, or the cluster is lost.
        """
        ray = self.ray
        remote = ray.remote(num_cpus=1, num_gpus=float(gpu), max_retries=retries)(function)
        places = {remote.remote(*task): k for k, task in enumerate(tasks)}
        waiting, seen = list(places), time.monotonic()
        while waiting:
            try:
                done, waiting = ray.wait(waiting, num_returns=1, timeout=2.0)
                found = [(places[ref], ray.get(ref)) for ref in done]
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, SymmetryError):
                    raise type(error.cause)(str(error.cause)) from error
                raise BadInputError(f"A task failed in a worker: {type(error.cause).__name__}: {_line(error.cause)}.") from error
            except ray.exceptions.RayError as error:
                raise BadInputError(f"The Ray cluster failed: {_line(error)}.") from error
            yield from found
            if found or _answers(self.head):
                seen = time.monotonic()
            elif time.monotonic() - seen > PATIENCE:
                raise BadInputError(
                    f"The head of the Ray cluster has not answered for {PATIENCE:.0f} seconds: what was finished is kept, "
                    "start the cluster and the same call again."
                )


@contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """Connect to a cluster, unless there is a connection already, which is then used and kept.

    Args:
        address: ``"host:port"``, ``"auto"`` for the cluster this machine belongs to, ``"local"`` for one of its own, which
            ends with the block.

    Yields:
        The connection.

    Raises:
        BadInputError: If Ray is not installed, the cluster does not answer, or another one is connected.
    """  # noqa: DOC501 (it is raised through a function)
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise BadInputError("Argument `address` needs Ray. Install it with `pip install 'parasym[scale]'`.") from error
    if ray.is_initialized():
        _check_connected(ray, address)
        yield Cluster(ray, _head(ray))
        return
    if address != "local":
        _probe(address)
    lone = address == "local"
    options: dict[str, Any] = {"logging_level": "error", **({"include_dashboard": False} if lone else {})}
    try:
        ray.init(address=address, log_to_driver=False, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise _unreachable(address, _lines(str(error))) from error
    try:
        yield Cluster(ray, _head(ray))
    finally:
        ray.shutdown()


def _probe(address: str) -> None:
    """Try to connect in a process of its own, which can be ended: Ray itself waits for minutes."""
    place = address.removeprefix("ray://")
    host, _, port = place.rpartition(":")
    if address != "auto":
        if not host or not port.isdigit():
            raise BadInputError(
                f"Argument `address` must be 'local', 'auto' or 'host:port', but is {address!r}. "
                "`ray start --head` prints the address of a cluster."
            )
        try:
            socket.create_connection((host, int(port)), timeout=PATIENCE / 3).close()
        except OSError as error:
            raise _unreachable(address, error.strerror or str(error)) from error
    # Ray tries twenty times by itself, a second each, before it says what is wrong.
    quick = os.environ | {"RAY_NUM_REDIS_GET_RETRIES": "3"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE, address], capture_output=True, text=True, timeout=PATIENCE, check=False, env=quick
        )
    except subprocess.TimeoutExpired as error:
        raise _unreachable(address, f"it does not answer as Ray does within {PATIENCE:.0f} seconds") from error
    if done.returncode:
        raise _unreachable(address, _lines(done.stderr) or f"Ray ended with exit code {done.returncode}")


def _check_connected(ray: Any, address: str) -> None:
    here = ray.get_runtime_context().gcs_address
    if address in {"auto", here}:
        return
    local = here.rpartition(":")[0] in {ray.util.get_node_ip_address(), "127.0.0.1", "localhost"}
    if address == "local" and local:
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port == here.rpartition(":")[2] and local and host in {"127.0.0.1", "localhost", ray.util.get_node_ip_address()}:
        return
    raise BadInputError(
        f"Argument `address` is {address!r}, but this process is connected to the Ray cluster at `{here}`: "
        "leave that with `ray.shutdown()`, or give 'auto' to use it."
    )


def _head(ray: Any) -> tuple[str, int] | None:
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    return (host, int(port)) if host and port.isdigit() else None


def _answers(head: tuple[str, int] | None) -> bool:
    if head is None:
        return True
    try:
        socket.create_connection(head, timeout=2.0).close()
    except OSError:
        return False
    return True


def _unreachable(address: str, why: str) -> BadInputError:
    return BadInputError(f"The Ray cluster at `{address}` cannot be reached: {why.rstrip('.')}. Use 'local' for one of its own.")


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _lines(text: str) -> str:
    """Return what went wrong as one line: the last error, or the one about authentication, which has Ray's advice."""
    lines = [line.strip() for line in text.strip().splitlines()]
    errors = [k for k, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception): ", line)]
    told = [k for k in errors if "AuthenticationError" in lines[k]] or errors
    return lines[told[-1]].split(": ", 1)[1] if told else " ".join(lines[-2:])
