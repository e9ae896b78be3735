"""What compiles at run time: torch's jiterator, Triton, Inductor; with empty caches, because warm ones hide a fault."""

import os
import re
import shutil
import sys
import sysconfig

from envforge_smoke.device import Precise
from envforge_smoke.figures import gaussian, hashed, integers, short
from envforge_smoke.outcomes import Failed, Skipped

FAULTS = (
    (
        r"Failed to find C compiler|No working C\+\+ compiler|InvalidCxxCompiler|CppCompileError.*not found",
        "E_NO_COMPILER",
    ),
    (r"No such file or directory:? .*(g\+\+|gcc|c\+\+|clang)|(g\+\+|gcc|c\+\+): (command )?not found", "E_NO_COMPILER"),
    (r"Python\.h", "E_NO_PYTHON_H"),
    (r"Cannot find a working triton|TritonMissing|[Tt]riton.*not (found|installed)", "E_NO_TRITON"),
    (r"too old to be supported by the triton", "E_TRITON_ARCH"),
    (r"not supported on Python", "E_DYNAMO_PYTHON"),
    (r"ptxas.*(fatal|failed)|PTXASError", "E_PTXAS"),
    (r"libcuda\.so cannot found|libcuda\.so.*not found|cannot find -lcuda\b", "E_NO_LIBCUDA_LINK"),
    (r"No such file or directory: .*ldconfig", "E_NO_LDCONFIG"),
    (r"failed to map segment|Permission denied", "E_NOEXEC_CACHE"),
)


def fault(error):
    """Give the code of an exception of Triton, Inductor or an extension build."""
    text = "%s: %s" % (type(error).__name__, error)
    for pattern, code in FAULTS:
        if re.search(pattern, text, re.DOTALL):
            return code
    return "E_COMPILE"


def tools():
    """The compilers and headers at hand, as the libraries look for them."""
    names = {"cc": ("CC", "gcc", "clang", "cc"), "cxx": ("CXX", "g++", "clang++", "c++")}
    found = {
        key: os.environ.get(words[0]) or next((word for word in words[1:] if shutil.which(word)), None)
        for key, words in names.items()
    }
    include = sysconfig.get_paths().get("include", "")
    return dict(found, python_h=os.path.exists(os.path.join(include, "Python.h")))


def empty_caches(bench):
    """Point every cache to an empty folder: a warm one hides a missing compiler, one at home may be on a network."""
    for name in ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TORCH_EXTENSIONS_DIR", "CUDA_CACHE_PATH"):
        folder = os.path.join(bench.scratch(), name.lower())
        os.makedirs(folder, exist_ok=True)
        os.environ[name] = folder
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def jiterator(bench):
    """``torch.gcd`` is compiled by torch's own NVRTC when first called: exact on integers."""
    torch = bench.torch
    os.environ["USE_PYTORCH_KERNEL_CACHE"] = "0"
    a, b = [(hashed(torch, 4096, seed, "cpu") % 5000).to(torch.int32) for seed in (13, 14)]
    if not torch.equal(torch.gcd(a.to(bench.device), b.to(bench.device)).cpu(), torch.gcd(a, b)):
        raise Failed("E_WRONG", "`torch.gcd` differs from the CPU")
    return {"elements": 4096}


TRITON = """
import triton
import triton.language as tl

@triton.jit
def mix(x, y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, tl.load(x + i, mask=i < n) * 3 + 1, mask=i < n)

@triton.jit
def dot(a, b, c, N: tl.constexpr):
    r = tl.arange(0, N)
    p = r[:, None] * N + r[None, :]
    tl.store(c + p, tl.dot(tl.load(a + p), tl.load(b + p)))
"""


def triton_kernel(bench):
    """A Triton kernel and a Triton dot product, compiled now: exact on integers."""
    torch = bench.torch
    try:
        import triton
    except ImportError:
        raise Skipped("S_MODULE", "triton is not installed") from None
    empty_caches(bench)
    x = (hashed(torch, 10000, 9, "cpu") % 1000).to(torch.int32).to(bench.device)
    a, b = [integers(torch, 64, 64, seed, -4, 4).to(bench.device, torch.float16) for seed in (93, 94)]
    dots = bench.can("triton_dot")
    try:
        kernels = _triton_kernels(bench)
        y, out = torch.zeros_like(x), torch.empty(64, 64, device=bench.device, dtype=torch.float32)
        kernels.mix[(10,)](x, y, x.numel(), B=1024)
        if dots:
            kernels.dot[(1,)](a, b, out, N=64)
        bench.sync()
    except Exception as error:
        raise Failed(fault(error), str(error).strip()[-400:], tools()) from error
    if not torch.equal(y, x * 3 + 1):
        raise Failed("E_WRONG", "the Triton kernel gives wrong numbers")
    if dots and not torch.equal(out.cpu().double(), a.cpu().double() @ b.cpu().double()):
        raise Failed("E_WRONG", "the Triton dot product is not exact")
    return dict(tools(), triton=triton.__version__, dot_product=dots)


def _triton_kernels(bench):
    """Triton reads its kernels' source from a file, so there must be one."""
    folder = bench.scratch()
    with open(os.path.join(folder, "envforge_triton_kernels.py"), "w") as file:
        file.write(TRITON)
    sys.path.insert(0, folder)
    try:
        import envforge_triton_kernels
    finally:
        sys.path.remove(folder)
    return envforge_triton_kernels


def torch_compile(bench):
    """Inductor compiles a small function; its result is eager mode's."""
    torch = bench.torch
    empty_caches(bench)

    def function(x, w):
        return (torch.sin(x) + torch.nn.functional.gelu(x @ w)).sum(-1)

    x, w = [gaussian(torch, 64, 64, seed).float().to(bench.device) for seed in (95, 96)]
    try:
        with Precise(torch):
            exact, got = function(x, w), torch.compile(function)(x, w)
        bench.sync()
    except Exception as error:
        code = fault(error)
        if code == "E_DYNAMO_PYTHON":
            raise Skipped("S_TORCH", str(error)[:160]) from error
        raise Failed(code, str(error).strip()[-400:], tools()) from error
    error = float((exact - got).abs().max() / exact.abs().max())
    if not error < bench.settings["limit"]:
        raise Failed("E_INACCURATE", "the compiled result differs by %.2e" % error, tools())
    return dict(tools(), error=short(error))
