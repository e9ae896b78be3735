"""NVML and libcuda as small C libraries that do what a broken driver does: answer, fail, hang, abort."""

from pathlib import Path

NVML = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <stdio.h>
static int is(const char *what) { const char *how = getenv("FAKE_NVML"); return how && !strcmp(how, what); }
int nvmlInitWithFlags(unsigned flags) {
    if (is("hang")) pause();
    for (int step = 0; is("endless") || (is("slow") && step < 15); step++) usleep(100000);
    if (is("abort")) { puts("munmap_chunk(): invalid pointer"); fflush(stdout); abort(); }
    return is("mismatch") ? 18 : 0;
}
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strcpy(text, "550.54.15"); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    if (index == 1 && is("lost")) return 15;
    if (index == 1 && is("hang-late")) pause();
    *handle = (void *)(long)(index + 1);
    return 0;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned size) { strcpy(text, "NVIDIA A100-SXM4-80GB"); return 0; }
int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) {
    sprintf(text, "GPU-00000000-0000-0000-0000-%012ld", (long)handle);
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) { *major = 8; *minor = 0; return 0; }
int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *memory) {
    memory[0] = 80ULL << 30; memory[1] = 79ULL << 30; memory[2] = 1ULL << 30;
    return 0;
}
int nvmlSystemGetConfComputeState(unsigned *state) {
    state[0] = 2; state[1] = 1; state[2] = 0;
    return is("server") ? 0 : 3;
}
int nvmlSystemGetConfComputeGpusReadyState(unsigned *ready) { *ready = 0; return is("server") ? 0 : 3; }
int nvmlDeviceGetPersistenceMode(void *handle, unsigned *mode) { *mode = 0; return is("server") ? 0 : 3; }
int nvmlDeviceGetGpuFabricInfoV(void *handle, unsigned char *info) { info[28] = 2; return is("server") ? 0 : 3; }
int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) { *current = 0; *pending = 0; return 0; }
"""
CUDA = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int is(const char *what) { const char *how = getenv("FAKE_CUDA"); return how && !strcmp(how, what); }
int cuInit(unsigned flags) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (is("hang")) pause();
    if (is("mismatch")) return 803;
    return visible && !*visible ? 100 : 0;
}
int cuGetErrorName(int code, const char **name) {
    *name = code == 0 ? "CUDA_SUCCESS" : code == 100 ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH";
    return 0;
}
int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strcpy(name, "NVIDIA A100-SXM4-80GB"); return 0; }
int cuDeviceTotalMem_v2(size_t *size, int device) { *size = (size_t)80 << 30; return 0; }
int cuDeviceGetAttribute(int *number, int which, int device) { *number = which == 75 ? 8 : 0; return 0; }
"""
SOURCES = {"libnvidia-ml.so.1": NVML, "libcuda.so.1": CUDA}
ASK = """
import json, os, sys, time
from envforge.detect import assemble, record, take_readings
from envforge.wire import to_plain
began = time.monotonic()
readings = take_readings(os.environ, deadline_s=float(sys.argv[1]), patience_s=float(sys.argv[2]))
took_s = time.monotonic() - began
machine = {key: item for key, item in to_plain(assemble(readings, "m")).items() if key != "readings"}
print(json.dumps({"recording": record(readings), "machine": machine, "took_s": took_s}))
"""


def build(folder: Path, names: tuple[str, ...], compiler: str) -> None:
    """Compile the libraries of these names into a folder."""
    import subprocess

    for name in names:
        source = folder / f"{name}.c"
        source.write_text(SOURCES[name])
        command = [compiler, "-shared", "-fPIC", "-w", f"-Wl,-soname,{name}", "-o", str(folder / name), str(source)]
        subprocess.run(command, check=True)
