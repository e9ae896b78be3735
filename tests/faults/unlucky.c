/* Bad luck for a process that is started with this in LD_PRELOAD: disks that fail, file systems without locks, clocks
 * that jump. Told by variables:
 *
 *   UNLUCKY_BELOW   only what happens to paths that begin so
 *   UNLUCKY_AT      the first call to fail, counted from 1
 *   UNLUCKY_TIMES   how many calls fail from there on; 0 is all
 *   UNLUCKY_ERRNO   what they fail with
 *   UNLUCKY_READS   1: reading fails too
 *   UNLUCKY_FLOCK   errno of every flock
 *   UNLUCKY_CLOCK_S seconds that the calendar's clock is off, from UNLUCKY_CLOCK_AT clock calls on
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls, clocks;

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

static int below(const char *path) {
    const char *root = getenv("UNLUCKY_BELOW");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int struck(void) {
    long at = number("UNLUCKY_AT", 0), times = number("UNLUCKY_TIMES", 1);
    if (!at) return 0;
    long count = atomic_fetch_add(&calls, 1) + 1;
    if (count < at || (times && count >= at + times)) return 0;
    errno = (int)number("UNLUCKY_ERRNO", EIO);
    return 1;
}

static int path_struck(int folder, const char *path) {
    char full[2 * PATH_MAX], link[64];
    if (path && path[0] != '/') {
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t size = readlink(link, full, PATH_MAX);
        if (size < 0) return 0;
        snprintf(full + size, sizeof full - size, "/%s", path);
        path = full;
    }
    return below(path) && struck();
}

static int fd_struck(int fd) {
    char link[64], path[PATH_MAX];
    if (!getenv("UNLUCKY_AT")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return below(path) && struck();
}

#define REAL(name, type) \
    static __typeof__(type) *real; \
    if (!real) real = (__typeof__(type) *)dlsym(RTLD_NEXT, name)

#define OPEN(name, folder, path, real_call, ...) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    } \
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT); \
    if ((writes || number("UNLUCKY_READS", 0)) && path_struck(folder, path)) return -1; \
    return real_call

int open(const char *path, int flags, ...) {
    REAL("open", int (const char *, int, ...));
    OPEN("open", AT_FDCWD, path, real(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    REAL("open64", int (const char *, int, ...));
    OPEN("open64", AT_FDCWD, path, real(path, flags, mode));
}

int openat(int folder, const char *path, int flags, ...) {
    REAL("openat", int (int, const char *, int, ...));
    OPEN("openat", folder, path, real(folder, path, flags, mode));
}

int openat64(int folder, const char *path, int flags, ...) {
    REAL("openat64", int (int, const char *, int, ...));
    OPEN("openat64", folder, path, real(folder, path, flags, mode));
}

#define ON_PATH(type, name, parameters, arguments, folder, path) \
    type name parameters { \
        REAL(#name, type parameters); \
        return path_struck(folder, path) ? -1 : real arguments; \
    }

#define ON_FD(type, name, parameters, arguments, fd) \
    type name parameters { \
        REAL(#name, type parameters); \
        return fd_struck(fd) ? -1 : real arguments; \
    }

ON_PATH(int, rename, (const char *a, const char *b), (a, b), AT_FDCWD, b)
ON_PATH(int, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), e, b)
ON_PATH(int, renameat2, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f), e, b)
ON_PATH(int, mkdir, (const char *a, mode_t m), (a, m), AT_FDCWD, a)
ON_PATH(int, mkdirat, (int d, const char *a, mode_t m), (d, a, m), d, a)
ON_PATH(int, link, (const char *a, const char *b), (a, b), AT_FDCWD, b)
ON_PATH(int, linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f), e, b)
ON_PATH(int, symlink, (const char *a, const char *b), (a, b), AT_FDCWD, b)
ON_PATH(int, symlinkat, (const char *a, int e, const char *b), (a, e, b), e, b)
ON_PATH(int, unlink, (const char *a), (a), AT_FDCWD, a)
ON_PATH(int, unlinkat, (int d, const char *a, int f), (d, a, f), d, a)
ON_PATH(int, rmdir, (const char *a), (a), AT_FDCWD, a)
ON_FD(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), fd)
ON_FD(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o), fd)
ON_FD(int, fsync, (int fd), (fd), fd)
ON_FD(int, fdatasync, (int fd), (fd), fd)
ON_FD(ssize_t, copy_file_range, (int a, off64_t *x, int fd, off64_t *y, size_t n, unsigned f), (a, x, fd, y, n, f), fd)

ssize_t read(int fd, void *buffer, size_t size) {
    REAL("read", ssize_t (int, void *, size_t));
    return number("UNLUCKY_READS", 0) && fd_struck(fd) ? -1 : real(fd, buffer, size);
}

int flock(int fd, int operation) {
    REAL("flock", int (int, int));
    long wanted = number("UNLUCKY_FLOCK", 0);
    if (wanted) {
        errno = (int)wanted;
        return -1;
    }
    return real(fd, operation);
}

static long off_s(void) {
    long by = number("UNLUCKY_CLOCK_S", 0);
    return by && atomic_fetch_add(&clocks, 1) >= number("UNLUCKY_CLOCK_AT", 0) ? by : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL("clock_gettime", int (clockid_t, struct timespec *));
    int answer = real(clock, now);
    if (!answer && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += off_s();
    return answer;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL("gettimeofday", int (struct timeval *, void *));
    int answer = real(now, zone);
    if (!answer) now->tv_sec += off_s();
    return answer;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}
