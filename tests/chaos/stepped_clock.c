/* A library to preload: the clock of the machine, set forward or back for some processes only.
 *
 * The file that CLOCK_OFFSET names holds a 64-bit number of seconds, mapped into every process, so that all of them see
 * a step in the same moment. The monotonic clocks are left alone, as a real step leaves them. Waits until a time of day
 * are handed to the kernel in its own time. libfaketime would do, but its version in Debian 12 breaks Python's
 * time.sleep where it must not touch the monotonic clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *mapped;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *mapped, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) mapped = found;
    close(file);
}

static int64_t offset(void) { return mapped ? *mapped : 0; }

static int is_time_of_day(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && is_time_of_day(clock)) now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

/* A time of day has some 1.7e9 seconds; no machine has been up for that long. */
static const struct timespec *in_kernel_time(const struct timespec *until, struct timespec *copy) {
    if (!until || until->tv_sec < 1000000000) return until;
    *copy = *until;
    copy->tv_sec -= offset();
    return copy;
}

static void *next(const char *name, const char *version) {
    void *found = dlvsym(RTLD_NEXT, name, version);
    return found ? found : dlsym(RTLD_NEXT, name);
}

int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, const struct timespec *restrict t) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec copy;
    if (!real) real = next("pthread_cond_timedwait", "GLIBC_2.3.2");
    return real(c, m, in_kernel_time(t, &copy));
}

int pthread_cond_clockwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, clockid_t k,
                           const struct timespec *restrict t) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    struct timespec copy;
    if (!real) real = next("pthread_cond_clockwait", "GLIBC_2.34");
    return real(c, m, k, in_kernel_time(t, &copy));
}

/* librdkafka waits with C11's own. */
int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m, const struct timespec *restrict t) {
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    struct timespec copy;
    if (!real) real = next("cnd_timedwait", "GLIBC_2.28");
    return real(c, m, in_kernel_time(t, &copy));
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict m, const struct timespec *restrict t) {
    static int (*real)(pthread_mutex_t *, const struct timespec *);
    struct timespec copy;
    if (!real) real = next("pthread_mutex_timedlock", "GLIBC_2.34");
    return real(m, in_kernel_time(t, &copy));
}

int sem_timedwait(sem_t *restrict s, const struct timespec *restrict t) {
    static int (*real)(sem_t *, const struct timespec *);
    struct timespec copy;
    if (!real) real = next("sem_timedwait", "GLIBC_2.34");
    return real(s, in_kernel_time(t, &copy));
}

int sem_clockwait(sem_t *restrict s, clockid_t k, const struct timespec *restrict t) {
    static int (*real)(sem_t *, clockid_t, const struct timespec *);
    struct timespec copy;
    if (!real) real = next("sem_clockwait", "GLIBC_2.34");
    return real(s, k, in_kernel_time(t, &copy));
}

int clock_nanosleep(clockid_t k, int flags, const struct timespec *t, struct timespec *left) {
    static int (*real)(clockid_t, int, const struct timespec *, struct timespec *);
    struct timespec copy;
    if (!real) real = next("clock_nanosleep", "GLIBC_2.17");
    return real(k, flags, flags & TIMER_ABSTIME ? in_kernel_time(t, &copy) : t, left);
}
