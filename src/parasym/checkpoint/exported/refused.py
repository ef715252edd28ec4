"""What a program holds that is no data."""

from parasym.core import CheckpointError


class Refused(CheckpointError):
    """A program holds something that reading it as data cannot do, such as code; the message says what, without the path."""
