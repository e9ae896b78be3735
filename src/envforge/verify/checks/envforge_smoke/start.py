"""The import of torch, which is a check of its own: where environments break first."""

import json
import os
import re
import subprocess
import sys
import time
import warnings

FAULTS = (
    (r"No module named '?torch'?$", "E_NO_TORCH"),
    (r"partially initialized module|circular import|No module named 'torch\._C'|__file__ is None", "E_SHADOWED"),
    (r"GLIBC_[0-9.]+' not found", "E_GLIBC"),
    (r"GLIBCXX_[0-9.]+' not found|CXXABI_", "E_LIBSTDCXX"),
    (r"iJIT_NotifyEvent", "E_MKL_IJIT"),
    (r"undefined symbol|symbol lookup error|undefined reference", "E_LIB_MISMATCH"),
    (r"cannot allocate memory in static TLS block", "E_STATIC_TLS"),
    (r"failed to map segment|Operation not permitted", "E_NOEXEC"),
    (r"cannot open shared object file|DLL load failed", "E_LIB_MISSING"),
    (r"No module named", "E_NO_MODULE"),
)


def fault(error):
    """Give the code of an exception that ``import torch`` raised."""
    text = str(error)
    for pattern, code in FAULTS:
        if re.search(pattern, text):
            return code
    return "E_IMPORT"


OUTSIDE = "torch is found by PYTHONPATH, or in the user's own site"


def import_torch(pipe, check, prefix):
    """Import torch and send the result; give the module, or None when it does not import.

    An interpreter that is no environment of ours may have its torch outside of itself: there the isolation ends.
    """
    pipe.send("start", check="import_torch", limit_s=check["limit_s"])
    began = time.perf_counter()
    torch, outcome, code, detail, measured = _try()
    if code == "E_NO_TORCH" and not prefix:
        sys.path.extend(_path_outside())
        torch, outcome, code, detail, measured = _try()
        code, detail = ("W_TORCH_OUTSIDE", OUTSIDE) if torch is not None else (code, detail)
    took_s = round(time.perf_counter() - began, 4)
    pipe.send(
        "result", check="import_torch", outcome=outcome, code=code, detail=detail, measured=measured, took_s=took_s
    )
    return torch


def _path_outside():
    """What PYTHONPATH and the user's site add to the path of a Python that is not isolated."""
    try:
        said = subprocess.run(
            [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path))"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            cwd=os.sep,
            timeout=20,
        ).stdout
        return [part for part in json.loads(said.decode().strip().split("\n")[-1]) if part and part not in sys.path]
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []


def _try():
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            import torch

            said = [str(warning.message)[:200] for warning in seen][:5]
            where = os.path.realpath(torch.__file__)
            measured = {"torch": torch.__version__, "path": where, "warnings": said}
            torch.tensor, torch.version.cuda  # noqa: B018 - a namespace left by a half-removed torch has neither
    except BaseException as error:
        name = type(error).__name__
        return None, "fail", fault(error), "%s: %s" % (name, str(error).strip()[:500]), {}
    return torch, "pass", None, "", measured
