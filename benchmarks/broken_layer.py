"""What ``break_`` costs: drawing constants, and a broken layer beside the plain one.

Everything whose memory counts is a process of its own, since memory is counted by its peak.
"""

import contextlib
import ctypes
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmarks.measure import Row, cpu_seconds, side_by_side
from benchmarks.networks import torchvision_model
from parasym.breaking import WAsymmetric, break_

OURS, PLAIN = "layer of parasym.break_", "nn.Linear"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        width: Inputs and outputs of a linear layer.
        batches: Examples of a step.
        tokens: Rows of an embedding.
        channels: Its columns.
        network: A network of torchvision, of which everything is frozen that bears a freedom; empty for none.
        n: Repetitions.
    """

    width: int = 4096
    batches: tuple[int, ...] = (1, 8, 64)
    tokens: int = 50257
    channels: int = 768
    network: str = "resnet18"
    n: int = 3


TINY = Task(width=32, batches=(1,), tokens=50, channels=8, network="", n=1)


def run(task: Task) -> list[Row]:
    """Return times and peaks of memory."""
    rows = [row for batch in task.batches for passes in (False, True) for row in _steps(task, batch, passes=passes)]
    layer = f"{task.width} x {task.width}"
    drawn, ours, plain = (_in_process("linear", task.width, task.width, task.n, what) for what in ("draw", "broken", "plain"))
    rows.append(Row(f"{layer}, drawing", "parasym.break_", "CPU seconds", tuple(drawn["seconds"])))
    for quantity in ours:
        values = ours[quantity], plain[quantity]
        note = f"{values[0] / values[1]:.2f} times the plain layer"
        rows.append(Row(f"{layer}, memory", OURS, quantity, (values[0],), 1.0, note))
        rows.append(Row(f"{layer}, memory", PLAIN, quantity, (values[1],), values[1] / values[0]))
    embedding = _in_process("embedding", task.tokens, task.channels, task.n, "draw")
    case = f"embedding {task.tokens} x {task.channels}, drawing"
    rows.append(Row(case, "parasym.break_", "CPU seconds", tuple(embedding["seconds"])))
    rows.append(Row(case, "parasym.break_", "memory beyond the model, GB", (embedding["gigabytes"],)))
    if task.network:
        rows.append(_leftover(task))
    return rows


def _steps(task: Task, batch: int, *, passes: bool) -> list[Row]:
    """Return a step of the first layer of a network, or of one inside of it, which passes a gradient on."""
    plain = nn.Linear(task.width, task.width)
    broken, x = break_(plain).model, torch.randn(batch, task.width, requires_grad=passes)

    def step(layer: nn.Module) -> None:
        layer.zero_grad()
        x.grad = None
        layer(x).sum().backward()

    where = "inside a network" if passes else "first layer"
    case = f"{task.width} x {task.width}, batch {batch}, forward and backward, {where}"
    ours, other = side_by_side(case, {OURS: lambda: step(broken), PLAIN: lambda: step(plain)}, n=5 * task.n)
    note = f"{ours.median / other.median:.2f} times the plain layer"
    return [Row(ours.case, ours.contender, ours.quantity, ours.values, ours.ratio, note), other]


def _leftover(task: Task) -> Row:
    model, x = torchvision_model(task.network), torch.zeros(1, 3, 64, 64)
    method = WAsymmetric(leftover="freeze")
    break_(model, method, x)
    seconds = tuple(cpu_seconds(lambda: break_(model, method, x)) for _ in range(task.n))
    return Row(f"{task.network}, leftover='freeze'", "parasym.break_", "CPU seconds", seconds)


def _in_process(kind: str, a: int, b: int, n: int, what: str) -> dict:
    code = f"from benchmarks.broken_layer import inside; inside({kind!r}, {a}, {b}, {n}, {what!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ.copy())
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def inside(kind: str, a: int, b: int, n: int, what: str) -> None:
    """Measure one layer in this process and print what it took."""
    import resource

    torch.set_num_threads(1)
    if what != "draw":
        print(json.dumps(_memory(a, b, broken=what == "broken")))
        return
    break_(nn.Linear(3, 2))  # what is imported and made once
    model = nn.Linear(a, b) if kind == "linear" else nn.Embedding(a, b)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = [cpu_seconds(lambda: break_(model)) for _ in range(n)]
    gigabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    print(json.dumps({"seconds": seconds, "gigabytes": gigabytes}))


def _memory(a: int, b: int, *, broken: bool) -> dict[str, float]:
    """Return what a layer keeps, and the peak of a step beyond what the process had before the layer."""
    x, on_linux = torch.randn(1, a), sys.platform == "linux"
    before = _status("VmRSS") if on_linux else 0
    model, kept = nn.Linear(a, b), 0
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    if broken:
        made = break_(model)
        model, kept = made.model, made.report.memory
    found = {"weights and constants, GB": (weights + kept) / 1e9}
    if on_linux:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)  # what drawing has freed is no memory of the layer
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        for _ in range(2):
            model(x).sum().backward()
        found["peak of forward and backward, GB"] = (_status("VmHWM") - before) / 1e6
    return found


def _status(name: str) -> int:
    """Return a size in kB, as Linux counts it."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
