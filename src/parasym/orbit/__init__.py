"""Moving along the orbit."""
