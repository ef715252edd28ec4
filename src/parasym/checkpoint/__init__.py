"""Checkpoints: read without running code, fitted to a model, written whole or not at all."""

from parasym.checkpoint.fit import Fitted, fit_checkpoint
from parasym.checkpoint.read import Checkpoint, read_checkpoint
from parasym.checkpoint.replace import atomic_write, ensure_writable
from parasym.checkpoint.tie import completed, conflicts, tied_names, untie_
from parasym.checkpoint.write import write_checkpoint

__all__ = [
    "Checkpoint",
    "Fitted",
    "atomic_write",
    "completed",
    "conflicts",
    "ensure_writable",
    "fit_checkpoint",
    "read_checkpoint",
    "tied_names",
    "untie_",
    "write_checkpoint",
]
