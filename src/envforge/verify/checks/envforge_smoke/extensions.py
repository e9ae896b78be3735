"""Building against torch and CUDA: nvcc with its host compiler, and torch's own extension builder."""

import ctypes
import os
import re
import shutil
import subprocess
import sys

from envforge_smoke.compilers import empty_caches, fault, tools
from envforge_smoke.figures import hashed, mix
from envforge_smoke.nvrtc import KERNEL
from envforge_smoke.outcomes import Failed, Noted, Skipped

HOST = b"""
#include <vector>
extern "C" int envforge_run(unsigned int *h, int n) {
  std::vector<unsigned int> v(h, h + n);
  unsigned int *d; cudaError_t e = cudaMalloc((void **)&d, n * 4); if (e) return e;
  cudaMemcpy(d, v.data(), n * 4, cudaMemcpyHostToDevice);
  envforge_mix<<<n / 256, 256>>>(d, n);
  e = cudaGetLastError(); if (e) return e;
  e = cudaMemcpy(h, d, n * 4, cudaMemcpyDeviceToHost); cudaFree(d); return e;
}
"""
NVCC_FAULTS = (
    (r"unsupported (GNU|clang) version", "E_NVCC_HOST"),
    (r"Unsupported gpu architecture|not defined for option 'gpu-architecture'", "E_NVCC_ARCH"),
    (r"cannot find -l|No such file|not found", "E_NVCC_FILES"),
)


def nvcc_kernel(bench):
    """nvcc and its host compiler build a library with a kernel; it loads, and its kernel is exact."""
    nvcc = _find_nvcc()
    release = _release(nvcc)
    library = os.path.join(bench.scratch(), "kernel.so")
    measured = {"nvcc": nvcc, "release": "%d.%d" % release if release else None, "torch_cuda": bench.torch.version.cuda}
    _compile(bench, nvcc, library, measured)
    built = ctypes.CDLL(library)
    if bench.kind != "cuda":
        raise Skipped("S_KIND", "it builds and loads; there is no device to run it", measured)
    _run(bench, built, measured)
    torch_major = int((bench.torch.version.cuda or "0").split(".")[0])
    if release and torch_major and torch_major != release[0]:
        detail = "nvcc is %d.%d, torch is for CUDA %s" % (*release, bench.torch.version.cuda)
        raise Noted("W_TOOLKIT_MAJOR", detail + ": extensions will not build", measured)
    return measured


def _find_nvcc():
    places = [os.path.join(sys.prefix, "bin", "nvcc"), os.path.join(os.environ.get("CUDA_HOME", "/"), "bin", "nvcc")]
    for path in [*places, shutil.which("nvcc") or ""]:
        if path and os.path.exists(path):
            return path
    raise Failed("E_NO_NVCC", "there is no nvcc in the environment, in CUDA_HOME or on PATH")


def _release(nvcc):
    said = subprocess.run(
        [nvcc, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=30
    )
    found = re.search(rb"release (\d+)\.(\d+)", said.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else None


def _compile(bench, nvcc, library, measured):
    source = os.path.join(bench.scratch(), "kernel.cu")
    with open(source, "wb") as file:
        file.write(KERNEL + HOST)
    arch = ["-arch=sm_%d%d" % bench.capability] if bench.kind == "cuda" else []
    argv = [nvcc, "-O1", *arch, "-cudart", "static", "-Xcompiler", "-fPIC", "-shared", source, "-o", library]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=150)
    if not done.returncode:
        return
    text = done.stdout.decode("utf-8", "replace").strip()
    code = next((code for pattern, code in NVCC_FAULTS if re.search(pattern, text)), "E_NVCC")
    raise Failed(code, text[-400:], measured)


def _run(bench, built, measured):
    torch, count = bench.torch, 1 << 16
    host = hashed(torch, count, 5, "cpu")
    words = (ctypes.c_uint * count)(*host.tolist())
    code = built.envforge_run(words, count)
    if code:
        raise Failed("E_NVCC_RUN", "the built kernel did not run: CUDA error %d" % code, measured)
    if list(words) != mix(torch, host).tolist():
        raise Failed("E_WRONG", "the built kernel gives wrong numbers", measured)


PLAIN = "#include <torch/extension.h>\ntorch::Tensor twice(torch::Tensor x) { return x * 2 + 1; }\n"
DECLARED = "#include <torch/extension.h>\ntorch::Tensor twice(torch::Tensor x);\n"
CUDA = """
#include <torch/extension.h>
__global__ void k(float *x, int n) { int i = blockIdx.x * 256 + threadIdx.x; if (i < n) x[i] = x[i] * 2 + 1; }
torch::Tensor twice(torch::Tensor x) { auto y = x.clone(); int n = y.numel();
  k<<<(n + 255) / 256, 256>>>(y.data_ptr<float>(), n); return y; }
"""


def cpp_extension(bench):
    """torch's headers, ninja and the compilers fit each other: ``load_inline`` builds, loads and computes."""
    torch = bench.torch
    empty_caches(bench)
    sources = {"cpp_sources": PLAIN}
    if bench.kind == "cuda" and not bench.hip:
        os.environ["TORCH_CUDA_ARCH_LIST"] = "%d.%d" % bench.capability
        sources = {"cpp_sources": DECLARED, "cuda_sources": CUDA}
    try:
        from torch.utils import cpp_extension as builder

        module = builder.load_inline("envforge_extension", functions=["twice"], verbose=False, **sources)
    except Exception as error:
        code = "E_NO_NINJA" if "Ninja is required" in str(error) else fault(error)
        raise Failed(code, str(error).strip()[-400:], tools()) from error
    x = torch.arange(1000, dtype=torch.float32, device=bench.device)
    if not torch.equal(module.twice(x), x * 2 + 1):
        raise Failed("E_WRONG", "the extension gives wrong numbers", tools())
    return tools()
