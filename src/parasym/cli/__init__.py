"""The command line: find, verify, match, merge, demo."""

from parasym.cli.app import VERBS, app, main

__all__ = ["VERBS", "app", "main"]
