"""Many networks at once."""

from parasym.population.train import TrainingPlan, train_population

__all__ = ["TrainingPlan", "train_population"]
