"""Start the checks in an environment's own Python: ``python -I checks FD``, the order as JSON on stdin.

This page and nothing else must parse under any Python, old ones too, so that they are told apart from broken ones.
"""

import sys

if sys.version_info < (3, 8):
    sys.exit(64)
sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
from envforge_smoke import worker  # noqa: E402

sys.path.pop(0)
sys.dont_write_bytecode = kept
sys.exit(worker.main(int(sys.argv[1])))
