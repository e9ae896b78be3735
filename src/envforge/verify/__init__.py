"""Prove that an environment works on the device in front of it: checks run by its own Python, each under a limit."""

from envforge.verify.registry import Check, Code, Layer, checks, codes, explain, features, reported, select
from envforge.verify.suite import verify

__all__ = ["Check", "Code", "Layer", "checks", "codes", "explain", "features", "reported", "select", "verify"]
