"""envforge: GPU environments that are proven to run on the GPU in front of you.

The public nouns live in `envforge.model`; the verbs in the modules that are named after them.
"""

__version__ = "0.1.0"
