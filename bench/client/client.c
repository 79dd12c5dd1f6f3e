#include "bench/client/client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SPARE_DESCRIPTORS = 64,
    PATH_BYTES = 128,
};

uint64_t client_clock_ns(void)
{
    struct timespec ts;
    int rc = clock_gettime(CLOCK_MONOTONIC, &ts);
    assert(rc == 0);
    return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

void client_die(const char *what)
{
    perror(what);
    exit(1);
}

bool client_number(const char *text, uint64_t most, uint64_t *ret_value)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' ||
        value > most)
        return false;
    *ret_value = value;
    return true;
}

bool client_address(const char *text, struct sockaddr_in *ret_to)
{
    char host[INET_ADDRSTRLEN];
    uint64_t port;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host ||
        !client_number(colon + 1, UINT16_MAX, &port))
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    memset(ret_to, 0, sizeof *ret_to);
    ret_to->sin_family = AF_INET;
    ret_to->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &ret_to->sin_addr) == 1;
}

void client_pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        client_die("sched_setaffinity");
}

void client_allow_descriptors(unsigned connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        client_die("getrlimit");
    if (limit.rlim_max < connections + SPARE_DESCRIPTORS) {
        fprintf(stderr, "at most %ju descriptors here\n",
                (uintmax_t)limit.rlim_max);
        exit(2);
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        client_die("setrlimit");
}

/* Connections. */

static void bind_source(int fd, unsigned nth)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1;
    from.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + 1 + nth / CLIENTS_PER_ADDRESS);
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) ||
        bind(fd, (struct sockaddr *)&from, sizeof from))
        client_die("bind");
}

static void set_patience(int fd)
{
    struct timeval tv = {.tv_sec = CLIENT_PATIENCE_SECONDS};
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        client_die("setsockopt");
}

int client_connect(const struct sockaddr_in *to, unsigned nth, int rcvbuf_bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        client_die("socket");
    bind_source(fd, nth);
    set_patience(fd);
    if (rcvbuf_bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes,
                                       sizeof rcvbuf_bytes))
        client_die("SO_RCVBUF");
    if (connect(fd, (const struct sockaddr *)to, sizeof *to))
        client_die("connect");
    return fd;
}

void client_send(int fd, const char *bytes, size_t len)
{
    /* A send that blocks sends all of it, unless time is up. */
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        client_die("send");
}

/* Answers. */

static size_t body_len(const char *line, const char *end)
{
    static const char name[] = "content-length:";
    while (line < end) {
        if (strncasecmp(line, name, sizeof name - 1) == 0)
            return strtoul(line + sizeof name - 1, NULL, 10);
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        line = lf == NULL ? end : lf + 1;
    }
    return 0;
}

/* The length of the answer that begins at p, 0 while it is not all there,
 * SIZE_MAX when it is not good. */
static size_t look(const char *p, size_t len)
{
    static const char good[] = "HTTP/1.1 2";
    const char *end = memmem(p, len, "\r\n\r\n", 4);
    if (end == NULL)
        return len == PUBLISHER_BYTES ? SIZE_MAX : 0;
    if (memcmp(p, good, sizeof good - 1) != 0)
        return SIZE_MAX;
    size_t all = (size_t)(end - p) + 4 + body_len(p, end);
    if (all > PUBLISHER_BYTES)
        return SIZE_MAX;
    return all <= len ? all : 0;
}

enum answer publisher_take(struct publisher *p)
{
    ssize_t n =
        recv(p->fd, p->buf + p->len, sizeof p->buf - p->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return ANSWER_NOT_YET;
    if (n <= 0 || p->owed == 0)
        return ANSWER_BAD;
    p->len += (size_t)n;
    size_t used = 0;
    while (p->owed > 0 && used < p->len) {
        size_t len = look(p->buf + used, p->len - used);
        if (len == SIZE_MAX)
            return ANSWER_BAD;
        if (len == 0)
            break;
        used += len;
        p->owed--;
    }
    p->len -= used;
    memmove(p->buf, p->buf + used, p->len);
    if (p->owed > 0)
        return ANSWER_NOT_YET;
    return p->len == 0 ? ANSWER_GOOD : ANSWER_BAD;
}

/* The server's processor time. */

static uint64_t thread_cpu_ns(unsigned pid, const char *thread)
{
    char path[PATH_BYTES];
    uint64_t ns = 0;
    int n = snprintf(path, sizeof path, "/proc/%u/task/%.20s/schedstat", pid,
                     thread);
    assert(n > 0 && (size_t)n < sizeof path);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0; /* a thread that has just ended */
    if (fscanf(f, "%" SCNu64, &ns) != 1)
        ns = 0;
    fclose(f);
    return ns;
}

uint64_t client_process_cpu_ns(unsigned pid)
{
    char path[PATH_BYTES];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        client_die(path);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            sum += thread_cpu_ns(pid, e->d_name);
    closedir(dir);
    return sum;
}
