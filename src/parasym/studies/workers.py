"""Processes that run tasks, and that end with the process that began them, however it ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import torch

from parasym.core import BadInputError


def run_in_workers(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], workers: int) -> Iterator[Any]:
    """Yield what a function returns for every task, as the tasks end, from processes with one thread each.

    Every worker waits on a pipe that only this process can write to: when this process ends, or is done with them, the pipe
    closes and they end at once, also in the middle of a task. Ctrl-C in a terminal goes to all processes; workers leave
    it to this one.

    Args:
        function: A function of a module.
        tasks: Its arguments.
        workers: How many processes.

    Raises:
        BadInputError: If a worker dies.
    """
    context = get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(reader,))
    try:
        with _interrupts_held_back():  # processes begin here, and would die of one with a traceback of their own
            futures = [pool.submit(function, *task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise BadInputError(
            "A worker process died in the middle of a task: was it killed, or out of memory? Finished tasks are kept; the same "
            "command goes on. Use fewer --workers if memory is short."
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        writer.close()
        reader.close()


def _prepare(reader: Connection) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(reader,), daemon=True).start()


def _end_with(reader: Connection) -> None:
    try:
        reader.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
