"""Files of other tools -> a spec: conda's, pip's, uv's, poetry's and pixi's, and the locks of conda-lock and pixi."""

from envforge.foreign.nouns import Imported, Remark
from envforge.foreign.read import KINDS, import_file, is_foreign

__all__ = ["KINDS", "Imported", "Remark", "import_file", "is_foreign"]
