"""What the world says of drivers, CUDA, torch and GPUs: dated YAML with sources, loaded from a compiled form."""

from envforge.facts.drivers import reaches
from envforge.facts.loading import Facts, load_facts
from envforge.facts.nouns import Architecture, Branch, Card, Peak, PythonMinor, Toolkit

__all__ = ["Architecture", "Branch", "Card", "Facts", "Peak", "PythonMinor", "Toolkit", "load_facts", "reaches"]
