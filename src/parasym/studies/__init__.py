"""Studies: one per file, each a frozen task and what it measured."""

from parasym.studies._table import STUDIES
from parasym.studies.architecture import ARCHITECTURES, Architecture
from parasym.studies.claim import Claim
from parasym.studies.family import corrected, holm
from parasym.studies.harness import checked_device, run_study, run_task
from parasym.studies.identifiability import HiddenLayer, exchange_cost
from parasym.studies.interval import Estimate, difference_interval, mean_interval, paired_interval
from parasym.studies.ledger import Ledger
from parasym.studies.merging import Merging, MergingTask, Network, Pair, Score, run_merging
from parasym.studies.row import Row
from parasym.studies.settings import changed
from parasym.studies.share import cautious_share, mean_share, paired_share, share_difference, share_interval
from parasym.studies.study import Study
from parasym.studies.summary import Cell, Line, Part, Runs, Summary, plain
from parasym.studies.symh_adam import AdamRun
from parasym.studies.task import AbstractTask, task_id

__all__ = [
    # the table
    "STUDIES",
    # merging, for the demo
    "ARCHITECTURES",
    "Architecture",
    "Merging",
    "MergingTask",
    "Network",
    "Pair",
    "Score",
    "run_merging",
    # how a study runs
    "AbstractTask",
    "Ledger",
    "Row",
    "Study",
    "changed",
    "checked_device",
    "run_study",
    "run_task",
    "task_id",
    # what its rows say
    "Cell",
    "Claim",
    "Estimate",
    "Line",
    "Part",
    "Runs",
    "Summary",
    "cautious_share",
    "corrected",
    "difference_interval",
    "holm",
    "mean_interval",
    "mean_share",
    "paired_interval",
    "paired_share",
    "plain",
    "share_difference",
    "share_interval",
    # measures
    "AdamRun",
    "HiddenLayer",
    "exchange_cost",
]
