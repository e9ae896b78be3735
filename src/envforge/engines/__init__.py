"""Engines: conda packages (rattler, or a conda command line), wheels (uv), and what sources offer.

Each speaks a small protocol of `envforge.model`, so that any engine installs what any other solved.
"""
