"""A model as a function: one idea of a call, shared by every verb that runs a model."""

from parasym.functional.call import Call
from parasym.functional.file import FileInputs, read_inputs
from parasym.functional.reading import batch_call, batches_of, example_call
from parasym.functional.statistics import has_statistics, reestimate

__all__ = ["Call", "FileInputs", "batch_call", "batches_of", "example_call", "has_statistics", "read_inputs", "reestimate"]
