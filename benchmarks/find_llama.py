"""``find`` on the 7B Llama configuration on the meta device, beside ``torch.export`` with decompositions alone.

Each run is a process of its own, since memory is counted by its peak.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.measure import Row
from benchmarks.networks import declare_operators

OURS, EXPORT, BASE = "parasym.find", "torch.export with decompositions", "the model alone"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        layers: Of the model; its other sizes are the configuration's own: width 4096, 32 heads.
        n: Repetitions.
    """

    layers: int = 32
    n: int = 3


TINY = Task(layers=1, n=1)


def run(task: Task) -> list[Row]:
    """Return times, their parts, and peaks of memory."""
    case = f"Llama, {task.layers} layers, meta device"
    found: dict[str, list[dict[str, float]]] = {OURS: [], EXPORT: [], BASE: []}
    for _ in range(task.n):
        for name, kept in found.items():
            kept.append(_in_process(name, task.layers))
    ours = sorted(r["seconds"] for r in found[OURS])[task.n // 2]
    rows = []
    for name in (OURS, EXPORT):
        values = tuple(r["seconds"] for r in found[name])
        rows.append(Row(case, name, "CPU seconds", values, sorted(values)[task.n // 2] / ours))
    exported = tuple(r["exported"] for r in found[EXPORT])
    rows.append(Row(case, "torch.export alone", "CPU seconds", exported, sorted(exported)[task.n // 2] / ours))
    for name, results in found.items():
        rows.append(Row(case, name, "peak memory, GB", tuple(r["gigabytes"] for r in results)))
    last = found[OURS][-1]
    rows.append(Row(case, EXPORT, "graph nodes", (found[EXPORT][-1]["nodes"],)))
    rows.append(Row(case, OURS, "factors found", (last["factors"],), note=f"{last['uncovered']:.0f} operations uncovered"))
    return rows


def _in_process(name: str, layers: int) -> dict[str, float]:
    code = f"from benchmarks.find_llama import inside; inside({name!r}, {layers})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ.copy())
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def inside(name: str, layers: int) -> None:
    """Do one run in this process and print what it took; a network of two small layers warms it up."""
    import resource

    torch.set_num_threads(1)
    work = {OURS: _find, EXPORT: _export, BASE: _nothing}[name]
    work(*llama(1, hidden_size=64, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2))
    result = work(*llama(layers))
    result["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(result))


def llama(layers: int, **sizes: int) -> tuple[nn.Module, torch.Tensor]:
    """Return transformers' Llama without memory for its numbers, and tokens for it."""
    declare_operators()
    import transformers

    config = transformers.LlamaConfig(use_cache=False, num_hidden_layers=layers, **sizes)
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config).eval()
        return model, torch.zeros(1, 16, dtype=torch.long)


def _find(model: nn.Module, ids: torch.Tensor) -> dict[str, Any]:
    from parasym.find import find

    start = time.process_time()
    symmetry = find(model, (ids,), {"use_cache": False})
    seconds = time.process_time() - start
    return {"seconds": seconds, "factors": len(symmetry.factors), "uncovered": len(symmetry.uncovered)}


def _export(model: nn.Module, ids: torch.Tensor) -> dict[str, Any]:
    start = time.process_time()
    with torch.no_grad():
        program = torch.export.export(model, (ids,), {"use_cache": False}, strict=False)
        exported = time.process_time() - start
        program = program.run_decompositions()
    seconds = time.process_time() - start
    return {"seconds": seconds, "exported": exported, "nodes": len(program.graph_module.graph.nodes)}


def _nothing(_model: nn.Module, _ids: torch.Tensor) -> dict[str, Any]:
    return {"seconds": 0.0}
