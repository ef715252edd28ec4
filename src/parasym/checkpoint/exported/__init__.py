"""Programs of ``torch.export.save``, read as data: a graph is a list of names of operations, and only known ones are called."""

from parasym.checkpoint.exported.module import ExportedModule
from parasym.checkpoint.exported.read import Exported, read_exported

__all__ = ["Exported", "ExportedModule", "read_exported"]
