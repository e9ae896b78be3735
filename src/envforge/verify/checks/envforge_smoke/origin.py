"""Where things come from: torch, its version, numpy beside it, the libraries that were really loaded."""

import glob
import os
import platform
import re
import subprocess
import sys

from envforge_smoke.outcomes import Failed, Noted, Skipped, Unclear

PROBE = (
    "import importlib.util as u\n"
    "try: s = u.find_spec('torch')\n"
    "except Exception as e: print('?', type(e).__name__, e)\n"
    "else: print(s.origin or (list(s.submodule_search_locations) or ['?'])[0] if s else '-')\n"
)


def torch_origin(bench):
    """The torch that a user's own program would import is this environment's."""
    own = os.path.realpath(bench.torch.__file__)
    prefix, home = bench.order.get("prefix"), os.path.realpath(os.path.dirname(bench.torch.__file__))
    if prefix and not _inside(home, prefix):
        raise Failed("E_SHADOWED", "torch is loaded from `%s`, outside the environment" % own, {"path": own})
    plain = _seen_without_isolation(bench.order.get("cwd"))
    measured = {"path": own, "path_without_isolation": plain, "prefix": sys.prefix}
    if plain == "-" or os.path.realpath(plain) != own:
        raise Failed(_who_shadows(plain, bench.order.get("cwd")), "a program would import `%s`" % plain, measured)
    return measured


def _seen_without_isolation(cwd):
    """Ask a second Python, with PYTHONPATH, user site and working directory as they are; it imports none."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            cwd=cwd or None,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unclear("E_PROBE", "a second Python could not say where torch is: %s" % error) from error
    said = done.stdout.decode("utf-8", "replace").strip().split("\n")[-1]
    if done.returncode or not said:
        tail = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise Failed("E_SHADOWED", "Python does not start with this PYTHONPATH or user site: %s" % tail[:300])
    return said


def _who_shadows(path, cwd):
    here = os.path.realpath(cwd or os.getcwd())
    shadow = os.path.realpath(path)
    if shadow in (os.path.join(here, "torch.py"), os.path.join(here, "torch", "__init__.py")):
        return "E_SHADOWED_CWD"
    return "E_SHADOWED"


def _inside(path, folder):
    return (path + os.sep).startswith(os.path.realpath(folder) + os.sep)


def build_facts(bench):
    """Version, CUDA and arch flags of the build are what the lock says."""
    torch = bench.torch
    measured = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": bench.hip,
        "git": getattr(torch.version, "git_version", None),
        "arch_list": _arch_flags(torch),
    }
    expect = bench.order.get("expect") or {}
    wrong = [text for key, text in _differences(expect, measured)]
    if wrong:
        code = "E_CPU_BUILD" if _is_cpu_instead(expect, measured) else "E_VERSION"
        raise Failed(cpu_build_code() if code == "E_CPU_BUILD" else code, "; ".join(wrong), measured)
    return measured


def _arch_flags(torch):
    """The arch list without touching a device: ``torch.cuda.get_arch_list`` is empty when no driver answers."""
    if torch.version.cuda is None:
        return []
    try:
        return torch._C._cuda_getArchFlags().split()
    except Exception:
        return None


def _is_cpu_instead(expect, measured):
    return expect.get("cuda") not in (None, "", "none") and measured["cuda"] is None and not measured["hip"]


def cpu_build_code():
    """A CPU build came by conda or by pip; the two have different remedies."""
    folder = os.path.join(sys.prefix, "conda-meta")
    try:
        names = os.listdir(folder)
    except OSError:
        return "E_CPU_BUILD"
    conda = any(re.match(r"(lib)?(py)?torch-\d.*\.json$", name) for name in names)
    return "E_CPU_BUILD_CONDA" if conda else "E_CPU_BUILD"


def _differences(expect, measured):
    for key in ("python", "torch"):
        if expect.get(key) and not _starts(measured[key], expect[key]):
            yield key, "%s is %s, the lock says %s" % (key, measured[key], expect[key])
    if "cuda" in expect:
        wanted = expect["cuda"] if expect["cuda"] not in ("", "none") else None
        if (wanted or measured["cuda"]) and not (wanted and _starts(measured["cuda"] or "", wanted)):
            yield "cuda", "`torch.version.cuda` is %s, the lock says %s" % (measured["cuda"], wanted or "none")
    if expect.get("build") and not _fits_variant(measured, expect["build"]):
        yield "build", "the build is for %s, the lock says %s" % (measured["cuda"] or "CPU", expect["build"])
    if expect.get("sass") and measured["arch_list"] is not None:
        missing = sorted(set(expect["sass"].split()) - set(measured["arch_list"]))
        if missing:
            yield "sass", "the build lacks code for %s, which its facts promise" % ", ".join(missing)


def _starts(have, want):
    """``2.13.0+cpu`` and ``13.0.1`` fit ``2.13`` and ``13.0``; ``2.1`` does not fit ``2.13``."""
    mine, theirs = [re.split(r"[.+]", text) for text in (have, want)]
    return mine[: len(theirs)] == theirs


def _fits_variant(measured, variant):
    """``cpu``, ``cu128``, ``cuda129``; a variant of another form says nothing here."""
    if variant.startswith("cpu"):
        return measured["cuda"] is None and not measured["hip"]
    found = re.match(r"cu(?:da)?_?(\d+)$", variant.replace(".", ""))
    return not found or (measured["cuda"] or "").replace(".", "").startswith(found.group(1))


def numpy_bridge(bench):
    """torch and numpy share memory; a torch built for numpy 1 does not with numpy 2."""
    try:
        import numpy
    except ImportError:
        raise Skipped("S_MODULE", "numpy is not installed") from None
    try:
        array = numpy.arange(6, dtype=numpy.float32)
        tensor = bench.torch.from_numpy(array)
        tensor += 1
        shared = float(array.sum()) == 21.0 and float(tensor.numpy().sum()) == 21.0
    except Exception as error:
        detail = "%s: %s" % (type(error).__name__, error)
        raise Failed("E_NUMPY_ABI", detail, {"numpy": numpy.__version__}) from error
    if not shared:
        raise Failed("E_NUMPY_ABI", "`from_numpy` does not share memory", {"numpy": numpy.__version__})
    return {"numpy": numpy.__version__}


CUDA_LIBRARY = re.compile(
    r"^lib(cudart|cublas|cublasLt|cudnn[a-z_]*|cufft|curand|cusolver|cusparse|cusparseLt|"
    r"nccl(?!-(?:net|tuner|profiler|env)\b)|nvrtc-builtins|nvrtc|nvJitLink|cupti|nvshmem[a-z_]*|cufile)(?=[-.])"
)
OPENMP = re.compile(r"^lib(gomp|iomp5|omp)(?=[-.])")


def mapped():
    """Every shared library that is mapped into this worker: file name to the real paths."""
    found = {}
    with open("/proc/self/maps") as lines:
        for line in lines:
            # 7f2c4c000000-7f2c4c021000 r-xp 00000000 fd:01 1234   /usr/lib/libcudnn.so.9
            path = line.split(None, 5)[-1].strip()
            if path.startswith("/") and ".so" in path:
                found.setdefault(os.path.basename(path), set()).add(os.path.realpath(path))
    return found


def _families(libraries, pattern):
    found = {}
    for name, paths in libraries.items():
        match = pattern.match(name)
        if match:
            found.setdefault(match.group(1), set()).update(paths)
    return found


def libs_origin(bench):
    """Each CUDA library that is loaded by now comes from the environment, and once."""
    if not sys.platform.startswith("linux"):
        raise Skipped("S_KIND", "reads /proc/self/maps, which Linux has")
    libraries = mapped()
    cuda, openmp = _families(libraries, CUDA_LIBRARY), _families(libraries, OPENMP)
    measured = {
        "cuda_libraries": {name: sorted(paths) for name, paths in cuda.items()},
        "openmp": {name: sorted(paths) for name, paths in openmp.items()},
        "ld_library_path": os.environ.get("LD_LIBRARY_PATH"),
    }
    twice = sorted(name for name, paths in cuda.items() if len(paths) > 1)
    if twice:
        raise Failed("E_LIB_TWICE", "loaded from two places: %s" % ", ".join(twice), measured)
    _hold_home(bench, cuda, measured)
    if sum(len(paths) for paths in openmp.values()) > 1:
        raise Noted("W_OPENMP_TWICE", "two OpenMP runtimes are loaded: %s" % ", ".join(sorted(openmp)), measured)
    return measured


def _hold_home(bench, cuda, measured):
    """Fail where a library of the system stands in for the environment's own; note where there is no own."""
    foreign = {name: path for name, paths in sorted(cuda.items()) for path in paths if not _ours(bench, path)}
    if not foreign:
        return
    text = "loaded from outside the environment: %s" % ", ".join(sorted(foreign.values())[:4])
    own = _own_libraries(bench)
    if bench.order.get("prefix") or own.intersection(foreign):
        raise Failed(_foreign_code(foreign.values()), text, measured)
    raise Noted("W_LIB_SYSTEM", text, measured)


def _ours(bench, path):
    """The environment's, or beside torch, or of the Python that lends torch; untold where files link to a cache."""
    torch = os.path.realpath(bench.torch.__file__)
    homes = [sys.prefix, sys.exec_prefix, os.path.dirname(os.path.dirname(torch))]
    if _inside(torch, sys.base_prefix):
        homes.append(sys.base_prefix)
    return os.path.islink(bench.torch.__file__) or any(_inside(path, home) for home in homes)


def _own_libraries(bench):
    """Families of which the environment holds a copy of its own, loaded or not."""
    home = os.path.dirname(os.path.realpath(bench.torch.__file__))
    site = os.path.join(os.path.dirname(home), "nvidia", "*", "lib")
    folders = [os.path.join(home, "lib"), os.path.join(sys.prefix, "lib"), site]
    names = [os.path.basename(path) for folder in folders for path in glob.glob(os.path.join(folder, "lib*.so*"))]
    return {found.group(1) for found in map(CUDA_LIBRARY.match, names) if found}


def _foreign_code(paths):
    """Name the library whose shadowing has a known story."""
    for sign, code in (("cublasLt", "E_LIB_CUBLASLT"), ("nvJitLink", "E_LIB_NVJITLINK"), ("cudnn", "E_LIB_CUDNN")):
        if any(sign in os.path.basename(path) for path in paths):
            return code
    return "E_LIB_FOREIGN"
