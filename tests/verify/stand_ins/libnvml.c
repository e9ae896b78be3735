/* Stands in for NVML: a healthy card unless FAKE_* in the environment says otherwise. */
#include <stdlib.h>
typedef unsigned u;
typedef unsigned long long ull;
static u number(const char *name, u other) { const char *s = getenv(name); return s ? (u)atoi(s) : other; }
int nvmlInit_v2(void) { return number("FAKE_NVML", 0); }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **h) { *h = (void *)1; return number("FAKE_UUID", 0); }
int nvmlDeviceGetTotalEccErrors(void *h, int kind, int since, ull *n) {
  *n = kind == 0 ? number("FAKE_CORRECTED", 0) : since == 0 ? number("FAKE_UNCORRECTED", 0) : number("FAKE_UNCORRECTED", 0);
  return 0;
}
int nvmlDeviceGetRetiredPagesPendingStatus(void *h, u *n) { return 3; }
int nvmlDeviceGetPcieReplayCounter(void *h, u *n) { static u calls = 0; *n = calls++ * number("FAKE_REPLAYS", 0); return 0; }
int nvmlDeviceGetTemperature(void *h, int sensor, u *n) { *n = 50; return 0; }
int nvmlDeviceGetPowerUsage(void *h, u *n) { *n = 300000; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(void *h, u *n) { *n = 700000; return 0; }
int nvmlDeviceGetClockInfo(void *h, int kind, u *n) { *n = 1980; return 0; }
int nvmlDeviceGetMaxClockInfo(void *h, int kind, u *n) { *n = 1980; return 0; }
int nvmlDeviceGetRemappedRows(void *h, u *corrected, u *uncorrected, u *pending, u *failed) {
  *corrected = *uncorrected = 0; *pending = number("FAKE_PENDING", 0); *failed = number("FAKE_REMAP_FAILED", 0); return 0;
}
int nvmlDeviceGetNvLinkState(void *h, u link, u *up) { if (link >= 4) return 3; *up = link != number("FAKE_LINK_DOWN", 99); return 0; }
int nvmlDeviceGetNvLinkRemoteDeviceType(void *h, u link, u *kind) { *kind = 2; return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **h) { *h = (void *)1; return 0; }
int nvmlDeviceGetCurrentClocksEventReasons(void *h, ull *bits) { *bits = number("FAKE_REASONS", 0); return 0; }
int nvmlDeviceGetMaxPcieLinkGeneration(void *h, u *n) { *n = 1; return 0; }
int nvmlDeviceGetMaxPcieLinkWidth(void *h, u *n) { *n = number("FAKE_MAX_WIDTH", 1); return 0; }
int nvmlDeviceGetCurrPcieLinkGeneration(void *h, u *n) { *n = 1; return 0; }
int nvmlDeviceGetCurrPcieLinkWidth(void *h, u *n) { *n = number("FAKE_WIDTH", number("FAKE_MAX_WIDTH", 1)); return 0; }
int nvmlEventSetCreate(void **set) { *set = (void *)1; return 0; }
int nvmlDeviceRegisterEvents(void *h, ull kinds, void *set) { return 0; }
struct event { void *device; ull kind, number; u gpu, compute; };
int nvmlEventSetWait_v2(void *set, struct event *event, u ms) {
  static int left = 1;
  if (!number("FAKE_XID", 0) || !left--) return 10;
  event->number = number("FAKE_XID", 0);
  return 0;
}
