"""Files of a host, planted below a root of a test's own."""

from pathlib import Path


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write files by their paths below a root; give the root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
