"""``find`` with and without trying what it found on numbers, beside one evaluation of the model.

Each case is a process of its own, since memory is counted by its peak.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.measure import Row, cpu_seconds
from benchmarks.networks import mlp, residual_cnn, torchvision_model

PLAIN, CHECKED, MODEL = "parasym.find", "with check=True", "the model in float32"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        cases: Names of networks.
        n: Repetitions.
    """

    cases: tuple[str, ...] = ("mlp", "cnn", "resnet50", "vit_b_16")
    n: int = 3


TINY = Task(cases=("mlp",), n=1)


def network(name: str) -> tuple[nn.Module, torch.Tensor]:
    """Return a network with random weights, and an input."""
    if name == "mlp":
        return mlp((512,) * 5), torch.zeros(4, 512)
    if name == "cnn":
        return residual_cnn(16), torch.zeros(1, 3, 32, 32)
    return torchvision_model(name), torch.zeros(1, 3, 224, 224)


def run(task: Task) -> list[Row]:
    """Return times and peaks of memory."""
    rows = []
    for name in task.cases:
        found = _in_process(name, task.n)
        case = f"{name}, {found['parameters']:,} parameters"
        base = sorted(found[PLAIN])[task.n // 2]
        for contender in (PLAIN, CHECKED, MODEL):
            values = tuple(found[contender])
            note = found["said"] if contender == CHECKED else ""
            rows.append(Row(case, contender, "CPU seconds", values, sorted(values)[task.n // 2] / base, note))
        rows.append(Row(case, CHECKED, "memory beyond the model, GB", (found["gigabytes"],)))
    return rows


def _in_process(name: str, n: int) -> dict:
    code = f"from benchmarks.self_check import inside; inside({name!r}, {n})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ.copy())
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def inside(name: str, n: int) -> None:
    """Measure one network in this process and print what it took."""
    import resource

    from parasym.find import find

    torch.set_num_threads(1)
    model, x = network(name)
    find(model, (x,))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad():
        result: dict = {PLAIN: [], CHECKED: [], MODEL: [cpu_seconds(lambda: model(x)) for _ in range(n)]}
    for _ in range(n):
        result[PLAIN].append(cpu_seconds(lambda: find(model, (x,))))
        result[CHECKED].append(cpu_seconds(lambda: result.update(symmetry=find(model, (x,), check=True))))
    result["gigabytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    result["said"] = str(result.pop("symmetry").self_check)
    result["parameters"] = sum(p.numel() for p in model.parameters())
    print(json.dumps(result))
