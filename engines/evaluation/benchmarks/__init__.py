"""How fast the parts are, each against a baseline that is stated and run in the same process."""
