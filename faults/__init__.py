"""Faults planted into the package, to see whether the tests notice. See ``python -m faults --help``."""
