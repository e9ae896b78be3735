"""A real conda channel, built from what this machine has: a CPython, wheels, and metadata-only stubs.

`archive` writes ``.conda`` files, `interpreter` and `wheels` repack real software into them, `stubs` adds the CUDA
choices that a solver needs, `build` puts the channel together, `served` serves a folder over HTTP, and lies on demand.
"""
