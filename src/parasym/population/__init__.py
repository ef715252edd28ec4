"""Many networks at once."""

from parasym.population.augment import AbstractAugmentation, Chain, RandomCrop, RandomFlip
from parasym.population.data import FullBatch
from parasym.population.job import EpochReport, StepReport
from parasym.population.plan import TrainingPlan
from parasym.population.train import train_population
from parasym.population.value import Population, Record, Way

__all__ = [
    # The verb
    "train_population",
    # How
    "TrainingPlan",
    "FullBatch",
    "Way",
    # Augmentation
    "AbstractAugmentation",
    "Chain",
    "RandomCrop",
    "RandomFlip",
    # What hooks are told
    "EpochReport",
    "StepReport",
    # What comes back
    "Population",
    "Record",
]
