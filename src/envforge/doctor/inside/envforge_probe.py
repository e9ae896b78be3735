"""Look at torch from inside an environment. Run by its Python as ``-c`` text: standard library only, Python 3.8 on.

Prints one JSON object per line, each adding keys of the recording's ``env_probe``, so that a crash or a hang keeps
what was told before it. It starts in the user's directory and with the user's search path, as a program would.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

TOLD = sys.stdout
NAMES = re.compile(
    r"^(nvidia-|torch|numpy$|triton|xformers|flash-attn|mkl|ctranslate2|onnxruntime|vllm|bitsandbytes|cupy)"
)
CONDA = re.compile(
    r"^(pytorch|libtorch|torch|numpy|mkl|cuda-|cudatoolkit|cudnn|nccl|libcu|libnv|cpuonly|libstdcxx|llvm-openmp|"
    r"_openmp_mutex|intel-openmp)"
)
LIBRARIES = re.compile(
    r"^lib(cuda|nvidia-ml|cudart|cudnn\w*|nvJitLink|cublas\w*|cusparse|nccl|stdc\+\+|iomp5|gomp|omp)\.so[.\d]*$"
)
EXTENSIONS = ("torchvision", "torchaudio", "flash_attn_2_cuda", "xformers._C", "vllm._C", "bitsandbytes")
KEYS = {"version": "__version__", "cuda": "cuda", "hip": "hip"}


def tell(**keys: Any) -> None:
    TOLD.write(json.dumps(keys) + "\n")
    TOLD.flush()


def main() -> None:
    sys.stdout = sys.stderr
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    tell(python=python, prefix=sys.prefix, cwd=str(Path.cwd()), sys_path=sys.path[:20])
    file = find("torch")
    if file is None:
        tell(torch=None, **{"import": "failed", "error": "No module named 'torch'"})
        return
    written = written_version(file)
    tell(torch=dict(written, file=file))
    tell(packages=wheels(), missing_files=missing_files())
    if records := conda_records():
        tell(conda_meta=records)
    look_at_torch(written, file)


def find(name: str) -> str | None:
    """Give the file that an import would take, without importing it."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if found is None:
        return None
    return found.origin or next(iter(found.submodule_search_locations or ()), None)


def written_version(init: str) -> dict[str, str | None]:
    """Read torch/version.py as text: it can be read when torch cannot be imported."""
    try:
        text = (Path(init).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    pattern = r"^{}(?::[^=]*)?\s*=\s*['\"]([^'\"]+)['\"]"
    found = {key: re.search(pattern.format(name), text, re.MULTILINE) for key, name in KEYS.items()}
    return {key: match.group(1) if match else None for key, match in found.items()}


def wheels() -> dict[str, str]:
    from importlib import metadata

    found: dict[str, str] = {}
    for each in metadata.distributions():
        name = (each.metadata["Name"] or "").lower().replace("_", "-")
        if NAMES.match(name) and name not in found:
            found[name] = each.version
    return found


def conda_records() -> dict[str, str]:
    """Give ``version-build (channel)`` of the conda packages that matter."""
    found = {}
    for file in sorted((Path(sys.prefix) / "conda-meta").glob("*.json")):
        if CONDA.match(file.name):
            row = json.loads(file.read_text(encoding="utf-8"))
            parts = str(row.get("channel", "")).rstrip("/").split("/")
            channel = parts[-2] if len(parts) > 1 else parts[-1]
            found[row["name"]] = f"{row['version']}-{row['build']} ({channel})"
    return found


def missing_files() -> list[str]:
    """Give libraries that torch's and NVIDIA's wheels list and that are not there.

    The list is read here: since Python 3.12 `Distribution.files` leaves out what is not there.
    """
    import csv
    from importlib import metadata

    gone: list[str] = []
    for each in metadata.distributions():
        name = (each.metadata["Name"] or "").lower()
        if name == "torch" or name.startswith("nvidia-"):
            rows = csv.reader((each.read_text("RECORD") or "").splitlines())
            listed = [row[0] for row in rows if row and ".so" in row[0].rpartition("/")[2]]
            gone += [file for file in listed if not Path(str(each.locate_file(file))).exists()]
    return gone[:20]


def look_at_torch(written: dict[str, str | None], file: str) -> None:
    began = time.time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            torch: Any = importlib.import_module("torch")
        except (Exception, SystemExit) as error:
            tell(**{"import": "failed", "error": said(error), "mapped": mapped()})
            return
        flags = getattr(torch._C, "_cuda_getArchFlags", lambda: None)()
        known: dict[str, Any] = dict(written, file=file, version=str(torch.__version__))
        known["arch_list"] = (flags or "").split()
        known["cxx11_abi"] = getattr(torch._C, "_GLIBCXX_USE_CXX11_ABI", None)
        tell(**{"import": "ok", "import_s": round(time.time() - began, 2), "torch": known, "mapped": mapped()})
        ask_cuda(torch)
        ask_neighbours(torch)
    told = [f"{each.category.__name__}: {each.message}" for each in caught]
    tell(messages=[text for text in dict.fromkeys(told) if "Deprecat" not in text][:10], mapped=mapped())


def ask_cuda(torch: Any) -> None:
    tell(is_available=bool(torch.cuda.is_available()))
    tell(device_count=int(torch.cuda.device_count()), smoke_kernel="not run")
    if not torch.cuda.is_available():
        return
    try:
        ones = torch.ones(256, 256, device="cuda")
        right = float((ones @ ones + ones).sum()) == 257.0 * 256 * 256
        tell(smoke_kernel="ok" if right else "wrong result")
    except (Exception, SystemExit) as error:
        tell(smoke_kernel=said(error))


def ask_neighbours(torch: Any) -> None:
    """Try what was compiled against torch, and the bridge to NumPy."""
    broken = {}
    for name in EXTENSIONS:
        if find(name.split(".", maxsplit=1)[0]):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                continue
            except (Exception, SystemExit) as error:
                broken[name] = {"error": said(error)}
    tell(extensions=broken)
    if find("numpy"):
        try:
            torch.zeros(1).numpy()
        except (Exception, SystemExit) as error:
            warnings.warn(said(error), stacklevel=1)


def mapped() -> dict[str, str]:
    """Give the libraries that the loader took into this process, by file name."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    paths = sorted({line.split(None, 5)[5] for line in lines if "/" in line and len(line.split(None, 5)) > 5})
    return {Path(path).name: path for path in paths if LIBRARIES.match(Path(path).name)}


def said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


main()
