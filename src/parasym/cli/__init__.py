"""The command line: one verb per file, and a table of them."""

from parasym.cli._table import VERBS
from parasym.cli.app import app, main

__all__ = ["VERBS", "app", "main"]
