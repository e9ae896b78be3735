"""From one section of a lock to files that other tools install, and to packs for machines without network."""

from envforge.exports.formats import FORMATS, export
from envforge.exports.subject import Exported

__all__ = ["FORMATS", "Exported", "export"]
