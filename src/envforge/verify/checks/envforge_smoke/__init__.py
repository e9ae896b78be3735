"""Checks of a torch environment, run by its own Python; standard library and torch only, Python 3.8 and newer."""
