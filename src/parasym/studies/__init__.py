"""Studies: one per file, each a frozen task and what it measured."""

from parasym.studies.architecture import ARCHITECTURES, Architecture
from parasym.studies.merging import Merging, MergingTask, Network, Pair, Score, run_merging

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Merging",
    "MergingTask",
    "Network",
    "Pair",
    "Score",
    "run_merging",
]
