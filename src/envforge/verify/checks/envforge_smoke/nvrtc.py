"""NVRTC and the driver by ctypes, without torch in between: machine code and PTX are two different promises."""

import ctypes
import glob
import os
import re
import sys

from envforge_smoke import driver, origin
from envforge_smoke.figures import hashed, mix
from envforge_smoke.outcomes import Failed, Noted, Skipped

KERNEL = b"""
extern "C" __global__ void envforge_mix(unsigned int *x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = (x[i] * 1664525u + 1013904223u) ^ ((unsigned int)i << 3);
}
"""
ERROR_LOG, ERROR_LOG_BYTES = 5, 6  # CU_JIT_ERROR_LOG_BUFFER and its size
LOG = 8192


def find(torch):
    """The NVRTC that torch would use: the mapped one, then the wheel's, the prefix's, the loader's."""
    for name, paths in origin.mapped().items() if sys.platform.startswith("linux") else ():
        if re.match(r"libnvrtc[-.](?!builtins)", name):
            return min(paths)
    major = (torch.version.cuda or "0").split(".")[0]
    home = os.path.dirname(os.path.realpath(torch.__file__))
    site = os.path.dirname(home)
    for pattern in (
        "%s/nvidia/cu%s/lib/libnvrtc.so.*" % (site, major),
        "%s/nvidia/cuda_nvrtc/lib/libnvrtc.so.*" % site,
        "%s/lib/libnvrtc.so.%s*" % (sys.prefix, major),
        "%s/lib/libnvrtc*.so*" % home,
    ):
        found = [path for path in sorted(glob.glob(pattern)) if "builtins" not in path and ".alt" not in path]
        if found:
            return found[0]
    return "libnvrtc.so." + major


class Nvrtc(object):
    """The compiler library at a path; raises Failed when it does not load."""

    def __init__(self, path):
        self.path, self.preloaded = path, []
        try:
            self.lib = ctypes.CDLL(path)
        except OSError as error:
            raise Failed("E_NO_NVRTC", "libnvrtc does not load: %s" % error) from error
        self.lib.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.lib.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        self.version = (major.value, minor.value)

    def archs(self):
        """The numbers of compute_XY that it can write; empty for toolkits too old to say."""
        count = ctypes.c_int()
        try:
            self.lib.nvrtcGetNumSupportedArchs(ctypes.byref(count))
            numbers = (ctypes.c_int * count.value)()
            self.lib.nvrtcGetSupportedArchs(numbers)
        except AttributeError:
            return []
        return list(numbers)

    def compile(self, arch, form):
        """Compile the kernel to ``CUBIN`` or ``PTX``."""
        program = ctypes.c_void_p()
        code = self.lib.nvrtcCreateProgram(ctypes.byref(program), KERNEL, b"envforge.cu", 0, None, None)
        if code:
            raise Failed("E_NVRTC", self._error(code))
        try:
            options = (ctypes.c_char_p * 1)(("--gpu-architecture=" + arch).encode())
            code = self.lib.nvrtcCompileProgram(program, 1, options)
            if not code:
                return self._bytes(program, "nvrtcGet" + form)
            log = self._bytes(program, "nvrtcGetProgramLog").split(b"\0")[0].decode("utf-8", "replace").strip()
        finally:
            self.lib.nvrtcDestroyProgram(ctypes.byref(program))
        if "libnvrtc-builtins" in log and self._preload():
            return self.compile(arch, form)
        kind = "E_NVRTC_BUILTINS" if "builtins" in log or code == 7 else "E_NVRTC"
        raise Failed(kind, "%s: %s" % (self._error(code), log[:300]), {"nvrtc": self.path, "arch": arch})

    def _error(self, code):
        return self.lib.nvrtcGetErrorString(code).decode()

    def _bytes(self, program, getter):
        size = ctypes.c_size_t()
        getattr(self.lib, getter + "Size")(program, ctypes.byref(size))
        out = ctypes.create_string_buffer(max(1, size.value))
        getattr(self.lib, getter)(program, out)
        return out.raw

    def _preload(self):
        """Load the builtins beside it, as torch does: CUDA 13's wheels have no RUNPATH. False the second time."""
        if self.preloaded:
            return False
        for path in sorted(glob.glob(os.path.join(os.path.dirname(self.path), "libnvrtc-builtins*.so*"))):
            if ".alt" not in path:
                self.preloaded.append(ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL))
        return bool(self.preloaded)


def _load_module(lib, image):
    """(driver's code, module, what the driver's compiler said)."""
    log, module = ctypes.create_string_buffer(LOG), ctypes.c_void_p()
    options = (ctypes.c_int * 2)(ERROR_LOG, ERROR_LOG_BYTES)
    values = (ctypes.c_void_p * 2)(ctypes.cast(log, ctypes.c_void_p), ctypes.c_void_p(LOG))
    pointer = ctypes.POINTER(ctypes.c_void_p)
    lib.cuModuleLoadDataEx.argtypes = [pointer, ctypes.c_char_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]
    code = lib.cuModuleLoadDataEx(ctypes.byref(module), image, 2, options, values)
    return code, module, log.value.decode("utf-8", "replace").strip()


def run_image(bench, lib, image):
    """Load an image, run its kernel on hashed words, hold them against the CPU: (code, log), (0, "") when right."""
    torch, count = bench.torch, 1 << 16
    host = hashed(torch, count, 5, "cpu")
    words = host.to(torch.int32).to(bench.device)  # makes the device's context current in this thread
    bench.sync()
    code, module, log = _load_module(lib, image)
    if code:
        return code, log
    try:
        code = _launch(torch, lib, module, words, count)
        bench.sync()
    finally:
        lib.cuModuleUnload(module)
    got = words.cpu().to(torch.int64) & 0xFFFFFFFF
    if not code and not torch.equal(got, mix(torch, host)):
        raise Failed("E_WRONG", "the compiled kernel gives wrong numbers")
    return code, ""


def _launch(torch, lib, module, words, count):
    kernel = ctypes.c_void_p()
    code = lib.cuModuleGetFunction(ctypes.byref(kernel), module, b"envforge_mix")
    if code:
        return code
    address, length = ctypes.c_uint64(words.data_ptr()), ctypes.c_int(count)
    pointers = [ctypes.cast(ctypes.pointer(each), ctypes.c_void_p) for each in (address, length)]
    arguments = (ctypes.c_void_p * 2)(*pointers)
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    return lib.cuLaunchKernel(kernel, count // 256, 1, 1, 256, 1, 1, 0, stream, arguments, None)


def nvrtc_cubin(bench):
    """CUDA C to machine code by the environment's NVRTC, and it runs: the toolkit knows this card."""
    compiler, lib = Nvrtc(find(bench.torch)), driver.load_libcuda()
    if not hasattr(compiler.lib, "nvrtcGetCUBIN"):
        raise Skipped("S_TORCH", "NVRTC %d.%d writes PTX only" % compiler.version)
    number, archs = bench.capability[0] * 10 + bench.capability[1], compiler.archs()
    measured = {"nvrtc": "%d.%d" % compiler.version, "path": compiler.path, "device": "sm_%d" % number}
    if archs and number not in archs:
        family = [arch for arch in archs if arch // 10 == bench.capability[0] and arch <= number]
        if not family:
            detail = "NVRTC %d.%d writes no code for sm_%d" % (*compiler.version, number)
            raise Failed("E_NVRTC_ARCH", detail, measured)
        number = max(family)
    image = compiler.compile("sm_%d" % number, "CUBIN")
    measured["builtins_preloaded"] = bool(compiler.preloaded)
    code, log = run_image(bench, lib, image)
    if code:
        raise Failed("E_CUBIN", "the driver refused machine code with %d: %s" % (code, log[:200]), measured)
    return measured


def nvrtc_ptx(bench):
    """CUDA C to PTX, compiled by the driver: refused with 222 when the driver is older than the toolkit."""
    compiler, lib = Nvrtc(find(bench.torch)), driver.load_libcuda()
    number = bench.capability[0] * 10 + bench.capability[1]
    target = max([arch for arch in compiler.archs() if arch <= number] or [number])
    image = compiler.compile("compute_%d" % target, "PTX")
    version = re.search(rb"\.version\s+([0-9.]+)", image)
    speaks = driver.cuda_of(lib)
    measured = {
        "nvrtc": "%d.%d" % compiler.version,
        "ptx": version.group(1).decode() if version else None,
        "target": "compute_%d" % target,
        "driver_cuda": "%d.%d" % speaks,
    }
    code, log = run_image(bench, lib, image)
    if code == 222 and speaks[0] == compiler.version[0] and speaks < compiler.version:
        detail = "PTX of CUDA %d.%d is newer than the driver (CUDA %d.%d)" % (compiler.version + speaks)
        raise Noted("W_PTX_222", detail + "; machine code runs all the same", measured)
    if code:
        known = "E_PTX_%d" % code if code in (221, 222) else "E_PTX"
        raise Failed(known, "the driver refused PTX with %d: %s" % (code, log[:200]), measured)
    return measured
