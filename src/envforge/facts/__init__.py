"""What the world says of drivers, CUDA, torch and GPUs: dated YAML with sources, loaded from a compiled form."""

from envforge.facts.loading import Facts, load_facts
from envforge.facts.nouns import Architecture, Branch, Toolkit

__all__ = ["Architecture", "Branch", "Facts", "Toolkit", "load_facts"]
