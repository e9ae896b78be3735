/* Stands in for the driver: memory is the host's, the one kernel is computed here. FAKE_* in the environment plant faults. */
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
static int number(const char *name, int other) { const char *s = getenv(name); return s ? atoi(s) : other; }
int cuInit(unsigned flags) { return number("FAKE_CUINIT", 0); }
int cuDriverGetVersion(int *version) { *version = number("FAKE_CUDA", 13000); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 0; return 0; }
int cuDeviceGetPCIBusId(char *text, int size, int device) { strcpy(text, "0000:3B:00.0"); return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *whole) { *free = *whole = 1 << 26; return 0; }
int cuModuleLoadDataEx(void **module, const char *image, unsigned n, const int *options, void **values) {
  int ptx = !strncmp(image, "//", 2);
  int code = number(ptx ? "FAKE_PTX" : "FAKE_CUBIN", 0);
  if (code) strcpy((char *)values[0], "ptxas said no");
  *module = (void *)1;
  return code;
}
int cuModuleGetFunction(void **kernel, void *module, const char *name) { *kernel = (void *)1; return 0; }
int cuLaunchKernel(void *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
  uint32_t *x = *(uint32_t **)arguments[0];
  int n = *(int *)arguments[1];
  for (int i = 0; i < n; i++) x[i] = (x[i] * 1664525u + 1013904223u) ^ ((uint32_t)i << 3);
  if (number("FAKE_WRONG", 0)) x[n / 2] ^= 1;
  return 0;
}
int cuModuleUnload(void *module) { return 0; }
