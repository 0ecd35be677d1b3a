/* Makes system calls of alfine's own processes fail, wait, stop the process or kill it, when the harness says so.

   Loaded with LD_PRELOAD. The file named by ALFINE_FAULTS is mapped into every process: the slots of `struct fault` say what is to
   happen (control.py writes them), and count what has happened. A training job's own program is left alone: whoever has
   TRAINING_JOB_NAME in the environment is one. alfine starts launchers with few variables, so `posix_spawnp` adds its own two. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

#define SLOTS 8
enum { OPEN_TO_READ = 1, OPEN_TO_WRITE = 2, READ = 4, WRITE = 8, RENAME = 16, MAKE = 32, REMOVE = 64, SYNC = 128,
       LOOK = 256, FORK = 512, THREAD = 1024, CHANNEL = 2048 };
enum { SERVER = 1, LAUNCHER = 2, CHILD = 4, CLI = 8 };
enum { FAIL = 0, KILL = 1, STOP = 2, WAIT = 3 };

struct fault {                /* control.py: FAULT has the same layout */
    _Atomic int32_t armed;    /* written last */
    int32_t calls, roles, action, number, _pad; /* number: the errno, or the milliseconds of WAIT */
    _Atomic int64_t skip;     /* matching calls that go well before */
    _Atomic int64_t times;    /* matching calls that meet the fault then */
    _Atomic int64_t met;      /* how many have */
    _Atomic int64_t last;     /* the process that has met it last */
    char part[64];            /* what the path must contain; "" for all */
};
struct control { _Atomic int64_t clock_shift_ns; char home[256]; struct fault faults[SLOTS]; };

static struct control *control;
static int role;
static pid_t first;

#define REAL(name) ({ static __typeof__(&name) known; if (!known) known = (__typeof__(&name))dlsym(RTLD_NEXT, #name); known; })

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("ALFINE_FAULTS");
    int fd = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    char line[8192] = "";
    fd = REAL(open)("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : REAL(read)(fd, line, sizeof line - 1);
    if (fd >= 0) close(fd);
    for (ssize_t i = 0; i < n; i++) if (!line[i]) line[i] = ' ';
    if (strstr(line, "launcher/__main__.py ")) role = LAUNCHER;
    else if (strstr(line, "alfine serve ")) role = SERVER;
    else if (strstr(line, "alfine ") || strstr(line, "tune.py ")) role = CLI;
    first = getpid();
    if (mapped != MAP_FAILED) control = mapped;
}

/* Returns 1 where the call must fail, with errno set. */
static int meets(int call, int dir, const char *path, int fd) {
    if (!control || !role) return 0;
    char full[PATH_MAX * 2] = "";
    int mine = 0, saved = errno;
    for (int i = 0; i < SLOTS; i++) {
        struct fault *f = &control->faults[i];
        if (!atomic_load(&f->armed) || !(f->calls & call)) continue;
        if (!mine) {
            mine = getpid() == first ? role : role == LAUNCHER ? CHILD : role;
            if (mine == CHILD && getenv("TRAINING_JOB_NAME")) return 0;
        }
        if (!(f->roles & mine)) continue;
        if (path || fd >= 0) {
            if (!full[0]) {
                size_t used = 0;
                if (path && !strncmp(path, "/proc/self/fd/", 14)) { /* a file that was opened to be looked at */
                    fd = atoi(path + 14);
                    path = NULL;
                }
                if (!path || (path[0] != '/' && dir != AT_FDCWD)) {
                    char link[64];
                    snprintf(link, sizeof link, "/proc/self/fd/%d", path ? dir : fd);
                    ssize_t n = readlink(link, full, PATH_MAX);
                    used = n > 0 ? (size_t)n : 0;
                    full[used] = 0;
                }
                if (path) snprintf(full + used, sizeof full - used, "%s%s", used ? "/" : "", path);
                errno = saved;
            }
            if (strncmp(full, control->home, strlen(control->home)) || !strstr(full, f->part)) continue;
        } else if (f->part[0]) continue;
        if (atomic_fetch_sub(&f->skip, 1) > 0) continue;
        if (atomic_fetch_sub(&f->times, 1) <= 0) continue;
        atomic_fetch_add(&f->met, 1);
        atomic_store(&f->last, getpid());
        if (f->action == KILL) kill(getpid(), SIGKILL);
        if (f->action == STOP) kill(getpid(), SIGSTOP);
        if (f->action == WAIT) usleep(f->number * 1000);
        errno = saved;
        if (f->action == FAIL) { errno = f->number; return 1; }
        return 0;
    }
    return 0;
}

#define OPENS(flags) (((flags) & (O_WRONLY | O_RDWR | O_CREAT)) ? OPEN_TO_WRITE : OPEN_TO_READ)
#define OPEN(name) int name(const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0; va_end(more); \
    return meets(OPENS(flags), AT_FDCWD, path, -1) ? -1 : REAL(name)(path, flags, mode); }
#define OPENAT(name) int name(int dir, const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0; va_end(more); \
    return meets(OPENS(flags), dir, path, -1) ? -1 : REAL(name)(dir, path, flags, mode); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

/* openat2 has no function of its own; its flags are the first member of a struct. */
long syscall(long number, ...) {
    long a[6];
    va_list more;
    va_start(more, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_openat2) {
        int flags = (int)*(uint64_t *)a[2];
        if (meets(flags & O_PATH ? LOOK : OPENS(flags), (int)a[0], (const char *)a[1], -1)) return -1;
    }
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define CALL(kind, type, name, declared, given, dir, path, fd, failure) \
    type name declared { return meets(kind, dir, path, fd) ? failure : REAL(name) given; }
CALL(READ, ssize_t, read, (int fd, void *to, size_t n), (fd, to, n), AT_FDCWD, NULL, fd, -1)
CALL(READ, ssize_t, pread64, (int fd, void *to, size_t n, off64_t at), (fd, to, n, at), AT_FDCWD, NULL, fd, -1)
CALL(WRITE, ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n), AT_FDCWD, NULL, fd, -1)
CALL(WRITE, ssize_t, pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at), AT_FDCWD, NULL, fd, -1)
CALL(WRITE, int, ftruncate64, (int fd, off64_t n), (fd, n), AT_FDCWD, NULL, fd, -1)
CALL(RENAME, int, rename, (const char *from, const char *to), (from, to), AT_FDCWD, to, -1, -1)
CALL(RENAME, int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), b, to, -1, -1)
CALL(MAKE, int, mkdir, (const char *path, mode_t mode), (path, mode), AT_FDCWD, path, -1, -1)
CALL(MAKE, int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), dir, path, -1, -1)
CALL(MAKE, int, symlink, (const char *to, const char *path), (to, path), AT_FDCWD, path, -1, -1)
CALL(MAKE, int, symlinkat, (const char *to, int dir, const char *path), (to, dir, path), dir, path, -1, -1)
CALL(REMOVE, int, unlink, (const char *path), (path), AT_FDCWD, path, -1, -1)
CALL(REMOVE, int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), dir, path, -1, -1)
CALL(REMOVE, int, rmdir, (const char *path), (path), AT_FDCWD, path, -1, -1)
CALL(SYNC, int, fsync, (int fd), (fd), AT_FDCWD, NULL, fd, -1)
CALL(SYNC, int, fdatasync, (int fd), (fd), AT_FDCWD, NULL, fd, -1)
CALL(LOOK, int, stat64, (const char *path, struct stat64 *to), (path, to), AT_FDCWD, path, -1, -1)
CALL(LOOK, int, stat, (const char *path, struct stat *to), (path, to), AT_FDCWD, path, -1, -1)
CALL(LOOK, int, fstatat, (int dir, const char *path, struct stat *to, int flags), (dir, path, to, flags), dir, path, -1, -1)
CALL(LOOK, int, fstatat64, (int dir, const char *path, struct stat64 *to, int flags), (dir, path, to, flags), dir, path, -1, -1)
CALL(LOOK, DIR *, opendir, (const char *path), (path), AT_FDCWD, path, -1, NULL)
CALL(FORK, pid_t, fork, (void), (), AT_FDCWD, NULL, -1, -1)
CALL(CHANNEL, int, pipe, (int ends[2]), (ends), AT_FDCWD, NULL, -1, -1)
CALL(CHANNEL, int, pipe2, (int ends[2], int flags), (ends, flags), AT_FDCWD, NULL, -1, -1)
CALL(CHANNEL, int, socketpair, (int a, int b, int c, int ends[2]), (a, b, c, ends), AT_FDCWD, NULL, -1, -1)
CALL(CHANNEL, int, accept4, (int fd, struct sockaddr *to, socklen_t *n, int flags), (fd, to, n, flags), AT_FDCWD, NULL, -1, -1)
CALL(THREAD, int, pthread_create, (pthread_t *a, const pthread_attr_t *b, void *(*run)(void *), void *with), (a, b, run, with),
     AT_FDCWD, NULL, -1, errno)

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const argv[], char *const env[]) {
    if (meets(FORK, AT_FDCWD, NULL, -1)) return errno;
    int launcher = 0, n = 0;
    for (char *const *word = argv; *word; word++) launcher |= strstr(*word, "launcher/__main__.py") != NULL;
    while (env[n]) n++;
    char *more[n + 3], preload[PATH_MAX], faults[PATH_MAX];
    memcpy(more, env, n * sizeof *more);
    if (control && launcher) {
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
        snprintf(faults, sizeof faults, "ALFINE_FAULTS=%s", getenv("ALFINE_FAULTS"));
        more[n++] = preload;
        more[n++] = faults;
    }
    more[n] = NULL;
    return REAL(posix_spawnp)(pid, file, actions, attributes, argv, more);
}

int clock_gettime(clockid_t clock, struct timespec *to) {
    int answer = REAL(clock_gettime)(clock, to);
    if (!answer && control && clock == CLOCK_REALTIME) {
        int64_t ns = to->tv_sec * 1000000000LL + to->tv_nsec + atomic_load(&control->clock_shift_ns);
        to->tv_sec = ns / 1000000000LL;
        to->tv_nsec = ns % 1000000000LL;
    }
    return answer;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
