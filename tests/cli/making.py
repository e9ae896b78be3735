"""What tests of `create` share: a home of its own, a spec on the local channel, and looking at what was left."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from cli.calling import envelope
from cli.calling import envforge as call

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Home:
    """A user's home: environments, caches and state below ``root``; specs in ``root/work``."""

    root: Path
    cache: Path

    @property
    def envs(self) -> Path:
        return self.root / "envs"

    @property
    def variables(self) -> dict[str, str]:
        """The variables that lead envforge here, and keep pip's own settings out."""
        folders = {
            "ENVFORGE_ENVS_DIR": self.envs,
            "ENVFORGE_CACHE_DIR": self.cache,
            "XDG_STATE_HOME": self.root / "state",
        }
        return {
            **{name: str(path) for name, path in folders.items()},
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_FIND_LINKS": "",
        }

    def spec(self, channel: str, name: str = "demo", **keys: object) -> Path:
        """Write a spec whose torch comes from this channel."""
        path = self.root / "work" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        places = {"sources": [channel], "channels": [channel], "indexes": []}
        given = {"torch": "2.9.*", "python": PYTHON, **places, **keys}
        path.write_text("".join(f"{key}: {json.dumps(entry)}\n" for key, entry in given.items() if entry is not None))
        return path

    def create(self, *words: object, **environ: str):
        return call("create", *words, "--no-progress", **{**self.variables, **environ})

    def listed(self) -> list[dict]:
        return envelope(call("list", "--json", **self.variables))["data"]["environments"]

    def left(self) -> list[str]:
        """Name all that stands among the environments, hidden or not."""
        return sorted(path.name for path in self.envs.iterdir()) if self.envs.exists() else []
