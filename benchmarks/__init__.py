"""Side by side with the peers: ``make bench``, or ``python -m benchmarks NAME ...``."""

from benchmarks._table import BENCHMARKS, Benchmark

__all__ = ["BENCHMARKS", "Benchmark"]
