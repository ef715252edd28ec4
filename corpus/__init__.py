"""Models on which it is counted what `find` pins only because no rule knows better. See ``python -m corpus --help``."""
