"""parasym finds the parameter symmetries of any model, proves them, and puts them to work."""
