/* Stands in for NVRTC: "compiles" anything. */
#include <stdlib.h>
#include <string.h>
static int number(const char *name, int other) { const char *s = getenv(name); return s ? atoi(s) : other; }
static const char *image = "";
const char *nvrtcGetErrorString(int code) { return "NVRTC_ERROR"; }
int nvrtcVersion(int *major, int *minor) { *major = number("FAKE_NVRTC_MAJOR", 13); *minor = number("FAKE_NVRTC_MAJOR", 0) ? 8 : 0; return 0; }
int nvrtcGetNumSupportedArchs(int *n) { *n = 2; return 0; }
int nvrtcGetSupportedArchs(int *archs) { archs[0] = 75; archs[1] = number("FAKE_ARCH", 90); return 0; }
int nvrtcCreateProgram(void **p, const char *s, const char *name, int n, const char **h, const char **i) { return 0; }
int nvrtcCompileProgram(void *p, int n, const char **options) {
  image = strstr(options[0], "compute_") ? "//\n.version 9.0\n" : "CUBIN";
  return number("FAKE_NVRTC", 0);
}
static const char *log_text(void) { return number("FAKE_NVRTC", 0) == 7 ? "cannot open libnvrtc-builtins.so" : "syntax error"; }
int nvrtcGetProgramLogSize(void *p, size_t *n) { *n = strlen(log_text()) + 1; return 0; }
int nvrtcGetProgramLog(void *p, char *out) { strcpy(out, log_text()); return 0; }
int nvrtcGetPTXSize(void *p, size_t *n) { *n = strlen(image) + 1; return 0; }
int nvrtcGetPTX(void *p, char *out) { strcpy(out, image); return 0; }
int nvrtcGetCUBINSize(void *p, size_t *n) { *n = strlen(image) + 1; return 0; }
int nvrtcGetCUBIN(void *p, char *out) { strcpy(out, image); return 0; }
int nvrtcDestroyProgram(void **p) { return 0; }
