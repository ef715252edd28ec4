"""The table of all benchmarks: each is a module with a frozen ``Task``, ``TINY`` and ``run(task) -> list[Row]``."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        name: What the command line calls it, and the stem of its file of results.
        target: What has to come out.
    """

    name: str
    target: str

    @property
    def module(self) -> ModuleType:
        """The module, imported only when it is wanted: each pulls in other packages."""
        return import_module(f"benchmarks.{self.name}")


BENCHMARKS = (
    Benchmark("find_peers", "find faster than Torch-Pruning and torch-kirigami everywhere; linear in depth (exponent 1)"),
    Benchmark("find_llama", "find within twice the time of torch.export with decompositions, and under 2 GB"),
    Benchmark("self_check", "what it costs to try what find found: two evaluations in double precision and copies"),
    Benchmark("find_circuits", "find on 100 qubits and 4,200 parameters in under 1 s"),
    Benchmark(
        "noisy_cost", "noisy cost and gradient of 4 qubits 120 times as fast as PennyLane default.mixed (2 ms against 241)"
    ),
    Benchmark("match_peers", "match at the same or a smaller distance than rebasin and plain descent, 5 times as fast"),
    Benchmark(
        "population_loop", "train_population 8 times as fast as a loop for 64 MLPs 784-16-16-10, never below 0.95 of the loop"
    ),
    Benchmark(
        "broken_layer",
        "a 4096 x 4096 layer of break_: forward and backward, and memory, at most 1.3 times those of the plain layer",
    ),
    Benchmark("torchani_pairs", "midpoints of pairs below naive 61-86, weight matching 34-45 and activation matching 24-44 mHa"),
)
