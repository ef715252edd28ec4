"""parasym finds the parameter symmetries of any model, proves them, and puts them to work."""

from parasym.find import find

__all__ = ["find"]
