// Viewers of an event stream: one process, one epoll, COUNT connections, so that they cost little beside the server.
//
//     viewers PORT PATH COUNT FIRST STRIDE RECEIVE_BUFFER
//
// Each event bears `seq=<10 digits> due=<20 digits>`: its number, and when it was due (CLOCK_MONOTONIC, in ns). All
// viewers check that no number is missing, from FIRST on; some also note how long after that moment an event came.
// STRIDE: how many bytes there are at least between two marks. RECEIVE_BUFFER: SO_RCVBUF, 0 for the system's.
//
// Commands come on stdin, one a line: pause, resume, reconnect, finish LAST SECONDS. It answers on stdout with a line of JSON
// once all streams have begun, after a reconnect, and at the end. It ends when stdin does, and after TIME_LIMIT_S.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MARK = 4 + 10 + 5 + 20, KEPT = 512, ID = 256, READ = 1 << 18, SAMPLES = 100, AT_ONCE = 64, BUCKETS = 4096 };
enum { TIME_LIMIT_S = 600, GREETING_S = 20 };

typedef struct {
    int fd, kept, is_sampled, is_greeted;
    long since;       // when the connection was asked for
    long skip;        // from the end of what was read to where the next mark may begin; negative: it may have begun
    long expected;    // the number of the next event
    char tail[KEPT];  // the end of what was read: a mark, an id or the end of the head may be cut in two there
    char id[ID];
} Viewer;

typedef struct {
    long count, bucket[BUCKETS];
} Spread;

static Viewer *viewers;
static int count, epoll, opened, greeted, to_greet, is_reconnecting, receive_buffer;
static long stride, events, missing, told, behind, repeats, closed, retries;
static const char *path;
static struct sockaddr_in server = {.sin_family = AF_INET};
static Spread latencies, greetings;
static char buffer[KEPT + READ + 1];

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

// Note a time in a bucket of 1.1 % width.
static void note(Spread *spread, long ns) {
    int bucket = ns < 1000 ? 0 : (int)(64 * log2(ns / 1000.0));
    spread->bucket[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    spread->count++;
}

static double percentile_ms(const Spread *spread, double percent) {
    long wanted = spread->count * percent / 100, seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += spread->bucket[i]) > wanted || (seen == spread->count && seen)) return exp2(i / 64.0) / 1000;
    return -1;
}

static void watch(Viewer *v, int operation, unsigned interest) {
    struct epoll_event event = {.events = interest, .data.ptr = v};
    epoll_ctl(epoll, operation, v->fd, &event);
}

static void open_stream(Viewer *v) {
    int one = 1;
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (receive_buffer) setsockopt(v->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    v->kept = v->is_greeted = 0;
    v->skip = 0;
    if (connect(v->fd, (void *)&server, sizeof server) && errno != EINPROGRESS) {
        perror("connect");
        exit(1);
    }
    watch(v, EPOLL_CTL_ADD, EPOLLOUT);
}

// Close with a reset, which leaves no port behind in TIME_WAIT.
static void close_stream(Viewer *v) {
    struct linger reset = {1, 0};
    if (v->fd < 0) return;
    setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(v->fd);
    v->fd = -1;
}

static void send_request(Viewer *v) {
    char request[1024];
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n",
                        path);
    if (v->id[0]) size += snprintf(request + size, sizeof request - size, "Last-Event-ID: %s\r\n", v->id);
    size += snprintf(request + size, sizeof request - size, "\r\n");
    if (write(v->fd, request, size) == size) watch(v, EPOLL_CTL_MOD, EPOLLIN);
}

// Open the next streams: at the start a few at a time, at a reconnect all at once.
static void open_more(void) {
    while (opened < count && (is_reconnecting || opened - greeted < AT_ONCE)) {
        if (!is_reconnecting) viewers[opened].since = now();
        open_stream(&viewers[opened++]);
    }
}

static void report_greetings(void) {
    printf("{\"greeted\": %d, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"retries\": %ld}\n", greeted,
           percentile_ms(&greetings, 50), percentile_ms(&greetings, 99), percentile_ms(&greetings, 100), retries);
    fflush(stdout);
    to_greet = is_reconnecting = 0;
}

// Note that the head and a first byte of the stream have come.
static void greet(Viewer *v, const char *data, const char *end) {
    const char *head = memmem(data, end - data, "\r\n\r\n", 4);
    if (!head || head + 4 == end) return;
    v->is_greeted = 1;
    greeted++;
    note(&greetings, now() - v->since);
}

static void lose(Viewer *v) {
    close_stream(v);
    if (is_reconnecting && retries < 20L * count) {
        if (v->is_greeted) greeted--;
        retries++;
        open_stream(v);
    } else {
        closed++;
    }
}

// Keep the id of the last whole block, for a reconnect.
static void keep_id(Viewer *v, const char *data, const char *end) {
    for (const char *at = end; (at = memrchr(data, '\n', at - data));) {
        const char *line = at + 1, *stop;
        if (end - line < 4 || memcmp(line, "id: ", 4) || !(stop = memchr(line, '\n', end - line))) continue;
        if (!memmem(line, end - line, "\n\n", 2)) continue;
        if (stop - line - 4 < ID) {
            memcpy(v->id, line + 4, stop - line - 4);
            v->id[stop - line - 4] = 0;
        }
        return;
    }
}

// Look for marks from `skip` on; the bytes between two of them are not looked at.
static void count_events(Viewer *v, const char *data, const char *end, long came) {
    const char *at = data + v->kept + v->skip;
    if (at < data) at = data;
    while (at < end && (at = memmem(at, end - at, "seq=", 4)) && end - at >= MARK) {
        long number = strtol(at + 4, NULL, 10);
        if (v->is_sampled) note(&latencies, came - strtol(at + 4 + 10 + 5, NULL, 10));
        events++;
        if (number < v->expected) {
            repeats++;
        } else {
            if (number > v->expected) *(memmem(data, end - data, "event: gap", 10) ? &told : &missing) += number - v->expected;
            v->expected = number + 1;
        }
        at += MARK + stride;
    }
    if (!at) at = end - 3;  // no mark; it may have begun
    v->skip = at - end;
}

static void receive(Viewer *v) {
    memcpy(buffer, v->tail, v->kept);
    ssize_t size = read(v->fd, buffer + v->kept, READ);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
        lose(v);
        return;
    }
    char *end = buffer + v->kept + size;
    *end = 0;
    if (!v->is_greeted) greet(v, buffer, end);
    count_events(v, buffer, end, v->is_sampled ? now() : 0);
    keep_id(v, buffer, end);
    v->kept = end - buffer < KEPT ? end - buffer : KEPT;
    memcpy(v->tail, end - v->kept, v->kept);
}

static void reconnect_all(void) {
    long at = now();
    for (int i = 0; i < count; i++) {
        close_stream(&viewers[i]);
        viewers[i].since = at;
    }
    memset(&greetings, 0, sizeof greetings);
    opened = greeted = 0;
    retries = 0;
    is_reconnecting = to_greet = 1;
}

static int all_have(long last) {
    for (int i = 0; i < count; i++)
        if (viewers[i].fd >= 0 && viewers[i].expected <= last) return 0;
    return 1;
}

static void report(long last) {
    for (int i = 0; i < count; i++)
        if (viewers[i].expected <= last) behind += last + 1 - viewers[i].expected;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"events\": %ld, \"missing\": %ld, \"told\": %ld, \"behind\": %ld, \"repeats\": %ld, \"closed\": %ld, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"cpu_s\": %.3f}\n", events, missing, told, behind, repeats, closed,
           percentile_ms(&latencies, 50), percentile_ms(&latencies, 99), used.ru_utime.tv_sec + used.ru_stime.tv_sec +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    alarm(TIME_LIMIT_S);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server.sin_port = htons(atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    path = argv[2];
    count = atoi(argv[3]);
    stride = atol(argv[5]);
    receive_buffer = atoi(argv[6]);
    viewers = calloc(count, sizeof *viewers);
    epoll = epoll_create1(0);
    int pause_epoll = epoll_create1(0), is_paused = 0;
    fcntl(0, F_SETFL, O_NONBLOCK);
    struct epoll_event command = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &command);
    epoll_ctl(pause_epoll, EPOLL_CTL_ADD, 0, &command);
    for (int i = 0; i < count; i++) {
        viewers[i].fd = -1;
        viewers[i].expected = atol(argv[4]);
        viewers[i].is_sampled = i % (count > SAMPLES ? count / SAMPLES : 1) == 0;
    }
    to_greet = 1;
    long last = -1, deadline = now() + GREETING_S * 1000000000L;
    for (struct epoll_event ready[512];;) {
        if (to_greet) {
            open_more();
            if (greeted == count || now() > deadline) report_greetings();
        }
        if (last >= 0 && (now() > deadline || all_have(last))) break;
        int found = epoll_wait(is_paused ? pause_epoll : epoll, ready, 512, 20);
        for (int i = 0; i < found; i++) {
            Viewer *v = ready[i].data.ptr;
            if (v && v->fd >= 0) {
                if (ready[i].events & EPOLLOUT && !(ready[i].events & (EPOLLERR | EPOLLHUP))) send_request(v);
                else receive(v);
            } else if (!v) {
                char text[256];
                ssize_t size = read(0, text, sizeof text - 1);
                if (size == 0) return 1;
                if (size < 0) continue;
                text[size] = 0;
                if (!strncmp(text, "pause", 5)) is_paused = 1;
                if (!strncmp(text, "resume", 6)) is_paused = 0;
                if (!strncmp(text, "reconnect", 9)) {
                    reconnect_all();
                    deadline = now() + GREETING_S * 1000000000L;
                    break;  // what else is ready belongs to connections that are closed
                }
                if (!strncmp(text, "finish", 6)) {
                    double seconds;
                    if (sscanf(text, "finish %ld %lf", &last, &seconds) != 2) return 2;
                    deadline = now() + (long)(seconds * 1e9);
                }
            }
        }
    }
    report(last);
    return 0;
}
