"""Stand in for conda, mamba and micromamba where there are none: the flags, JSON shapes and exit codes that were
recorded from the real ones (conda 26.7.2, mamba 2.8.1), for what the driver uses. The work is done by rattler.

usage: standin.py conda|mamba|micromamba ARGUMENTS...
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOOL = sys.argv[1]
MAMBA = TOOL != "conda"
VALUES = {"-c": "channels", "-p": "prefix", "--file": "file"}
FLAGS = {"--yes", "--json", "--dry-run", "--offline", "--override-channels", "--strict-channel-priority"}
OWN = {"--no-rc", "--no-pyc"} if MAMBA else {"--no-default-packages", "--no-pin"}


def parse(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"channels": [], "specs": [], "flags": set()}
    words = iter(arguments)
    for word in words:
        if word == "-c":
            found["channels"].append(next(words))
        elif word in VALUES:
            found[VALUES[word]] = next(words)
        elif word.startswith("-") and word in FLAGS | OWN:
            found["flags"].add(word)
        elif word.startswith("-"):
            raise SystemExit(f"{TOOL}: error: unrecognized arguments: {word}")
        else:
            found["specs"].append(word)
    return found


def say(document: dict[str, Any], code: int = 0) -> int:
    print(json.dumps(document, indent=2))
    return code


def complain(text: str, exception: str = "", problems: bool = False) -> int:
    if not MAMBA:
        told = {"error": f"{exception}: {text}", "exception_name": exception, "message": text}
        if exception == "PackagesNotFoundInChannelsError":
            told["packages"] = re.findall(r"for (\S+)", text)
        return say(told, 1)
    log = [{"level": "critical", "message": text, "source": "libmamba"}]
    if not problems:
        return say({"log_history": log}, 1)
    log = [
        {"level": "error", "message": f"Could not solve for environment specs\n    {text}", "source": "libmamba"},
        *log,
    ]
    return say({"log_history": log, "solver_problems": ["nothing provides"], "success": False}, 1)


def solver_failure(text: str) -> int:
    tree = text.removeprefix("Cannot solve the request because of: ").strip()
    if tree.startswith("No candidates"):
        name = tree.split()[5]
        unknown = f"The following package could not be installed\n    └─ {name} =* * does not exist (perhaps a typo)."
        return complain(unknown if MAMBA else tree, "PackagesNotFoundInChannelsError", True)
    return complain(f"The following packages are incompatible\n└─ {tree}", "LibMambaUnsatisfiableError", True)


async def solve(asked: dict[str, Any]) -> Any:
    from rattler import Channel, Gateway, SourceConfig, VirtualPackage, VirtualPackageOverrides
    from rattler import solve as rattler_solve

    offline = SourceConfig(cache_action="force-cache-only") if "--offline" in asked["flags"] else SourceConfig()
    gateway = Gateway(cache_dir=Path(os.environ["CONDA_PKGS_DIRS"]) / "cache", default_config=offline)
    if MAMBA and any(spec.split()[0] == "python" for spec in asked["specs"]):
        asked["specs"].append("pip")  # whatever its configuration says
    virtual = [each.into_generic() for each in VirtualPackage.detect(VirtualPackageOverrides.from_env())]
    channels = [Channel(each) for each in asked["channels"]]
    return await rattler_solve(channels, asked["specs"], gateway=gateway, virtual_packages=virtual)


def full(record: Any) -> dict[str, Any]:
    return {**json.loads(record.to_json()), "build_string": str(record.build)}


def brief(record: Any) -> dict[str, Any]:
    name, version, build = record.name.normalized, str(record.version), str(record.build)
    return {"base_url": record.url.rsplit("/", 2)[0], "name": name, "version": version, "build_string": build}


async def create(asked: dict[str, Any]) -> int:
    from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

    try:
        records = await solve(asked)
    except InvalidMatchSpecError as error:
        if MAMBA:
            return complain(f'Error parsing version "{error}"')
        print(
            f"Traceback\nTypeError: Object of type InvalidVersionSpec is not JSON serializable: {error}",
            file=sys.stderr,
        )
        return 1
    except GatewayError as error:
        return complain(f"Download error (37) {error}\nSubdir not loaded!", "UnavailableInvalidChannel")
    except SolverError as error:
        return solver_failure(str(error))
    linked = [full(each) if MAMBA else brief(each) for each in records]
    actions = {"PREFIX": asked["prefix"], "FETCH": [full(each) for each in records], "LINK": linked}
    return say({"success": True, "dry_run": True, "prefix": asked["prefix"], "actions": actions})


def explicit(path: Path) -> list[Any]:
    from rattler import BuildString, PackageName, PackageRecord, RepoDataRecord

    records = []
    for line in path.read_text().splitlines():
        if not line.startswith(("@", "#")):
            url, digest = line.split("#sha256:")
            channel, subdir, filename = url.rsplit("/", 2)
            name, version, build = filename.removesuffix(".conda").rsplit("-", 2)
            record = PackageRecord(
                name=PackageName(name),
                version=version,
                build=BuildString(build),
                build_number=0,
                subdir=subdir,  # type: ignore[arg-type]
                sha256=bytes.fromhex(digest),
            )
            records.append(RepoDataRecord(record, filename, url, channel))
    return records


def mismatch(text: str) -> int:
    """Complain of a wrong hash: mamba in its log, conda in an error of several."""
    if MAMBA:
        return complain(f"File not valid: {text}\nFound incorrect downloads. Aborting")
    one = {"exception_name": "ChecksumMismatchError", "message": f"Conda detected a mismatch between ... {text}"}
    return say({"exception_name": "CondaMultiError", "error": "Multiple Errors Encountered.", "errors": [one]}, 1)


def run_link_scripts(prefix: Path) -> None:
    """Run them as the real ones do: by the first bash on PATH, from a file that sources the script."""
    bash = shutil.which("bash")
    assert bash is not None
    for script in sorted(prefix.glob("bin/.*-post-link.sh")):
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as caller:
            caller.write(f". {script}\n")
            caller.flush()
            subprocess.run([bash, caller.name], env={**os.environ, "PREFIX": str(prefix)}, check=True)


def write_commands(prefix: Path) -> None:
    """Generate commands with four blanks, as both do, and conda with permissions by the umask."""
    for path in prefix.glob("bin/*"):
        if path.is_file() and not path.is_symlink() and b"\n\tsys.argv[0] = re.sub(" in path.read_bytes():
            path.write_bytes(path.read_bytes().replace(b"\n\tsys.", b"\n    sys."))
            path.chmod(0o775 if MAMBA else 0o755)


async def link(asked: dict[str, Any]) -> int:
    from rattler import PackageCache, install
    from rattler.exceptions import InstallerError

    records, prefix = explicit(Path(asked["file"])), Path(asked["prefix"])
    if prefix.exists():
        shutil.rmtree(prefix)  # the real ones do this, too
    for record in records if MAMBA else ():  # conda does not look at local files
        if record.url.startswith("file:"):
            path = Path(unquote(urlsplit(record.url).path))
            if hashlib.sha256(path.read_bytes()).digest() != record.sha256:
                return mismatch(f"SHA256 doesn't match {path}")
    try:
        await install(
            records, prefix, package_cache=PackageCache(Path(os.environ["CONDA_PKGS_DIRS"])), show_progress=False
        )
    except InstallerError as error:
        if "hash mismatch" not in str(error):
            return complain(str(error), "CondaError")
        return mismatch(str(error))
    run_link_scripts(prefix)
    write_commands(prefix)
    if not MAMBA or "--no-pyc" not in asked["flags"]:  # of every noarch package, really; one is enough to be seen
        modules = list(prefix.glob("lib/python3*/site-packages/isympy.py"))
        subprocess.run([prefix / "bin/python", "-m", "py_compile", *modules], check=True)
    if MAMBA:
        (Path(os.environ["HOME"]) / ".conda").mkdir(exist_ok=True)
        return say({"success": True, "actions": {"LINK": [full(each) for each in records]}, "log_history": []})
    return 0


def main() -> int:
    command, *rest = sys.argv[2:]
    asked = parse(rest)
    read = [Path.home() / ".condarc", Path(os.environ.get("XDG_CONFIG_HOME", "/nowhere")) / "conda" / "condarc"]
    if any(path.exists() for path in read) and not MAMBA:  # `CONDARC` does not stop conda from reading these
        return complain("the user's configuration was read", "CondaValueError")
    if "--no-rc" in asked["flags"] and "CONDARC" in os.environ:
        return complain("Configuration files disabled by 'no_rc'")
    if command != "create":
        raise SystemExit(f"{command} is not modelled")
    return asyncio.run(link(asked) if "file" in asked else create(asked))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
