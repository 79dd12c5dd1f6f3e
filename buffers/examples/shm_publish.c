/* shm_publish [RECORDS] - one process publishes, another one reads.
 *
 *      stdin or records -> publisher =[ shm_ring ]=> reader -> stdout
 *                            waits in the ring        an event loop
 *
 * Without an argument the bytes of standard input are published, and the
 * reader writes them to standard output. With one, so many numbered records
 * are, and the reader checks and counts them. Each side notices when the other
 * one dies: the publisher by waitpid(), the reader by a pidfd in its loop. */
#include "buffers/shm_ring.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAP_BYTES    ((size_t)256 << 10)
#define LOOK_MS      200 /* between two looks at whether the reader lives */
#define PIECE_BYTES  4096u
#define RECORD_BYTES 64u
#define RECORDS_MAX  UINT64_C(1000000000)

/* The reader. */

struct reader {
    struct shm_ring ring;
    bool records; /* else bytes for standard output */
    uint64_t next;
    bool wrong;
};

static void take_records(struct reader *r, const char *bytes, size_t n)
{
    r->wrong |= n % RECORD_BYTES != 0; /* they are committed whole */
    for (size_t at = 0; at + RECORD_BYTES <= n; at += RECORD_BYTES) {
        uint64_t number;
        memcpy(&number, bytes + at, sizeof number);
        r->wrong |= number != r->next++;
    }
    shm_ring_consume(&r->ring, n);
}

static void take_bytes(struct reader *r, const char *bytes, size_t n)
{
    ssize_t written = write(STDOUT_FILENO, bytes, n);
    r->wrong |= written < 0;
    shm_ring_consume(&r->ring, written > 0 ? (size_t)written : n);
}

/* Sleeps until there is something to read, or the publisher is gone. */
static void sleep_in_the_loop(struct reader *r, int publisher)
{
    struct pollfd p[] = {
        {.fd = shm_ring_event_fd(&r->ring), .events = POLLIN},
        {.fd = publisher, .events = POLLIN},
    };
    if (shm_ring_arm(&r->ring, 1))
        return;
    if (poll(p, 2, -1) > 0 && p[1].revents) {
        fprintf(stderr, "shm_publish: the publisher is gone\n");
        shm_ring_abandon(&r->ring);
    }
    shm_ring_disarm(&r->ring);
}

static enum flow read_some(struct reader *r)
{
    const char *bytes;
    size_t n;
    enum flow f = shm_ring_peek(&r->ring, &bytes, &n);
    if (f != FLOW_DONE)
        return f;
    if (r->records)
        take_records(r, bytes, n);
    else
        take_bytes(r, bytes, n);
    return f;
}

static int run_reader(const struct shm_ring *parent, pid_t pid, bool records)
{
    struct reader r = {.records = records};
    enum flow f;
    int publisher = (int)syscall(SYS_pidfd_open, pid, 0);
    if (publisher < 0 || !shm_ring_attach(&r.ring, parent->fds, SHM_READER)) {
        perror("shm_publish: reader");
        return 1;
    }
    while ((f = read_some(&r)) != FLOW_END && f != FLOW_FAILED && !r.wrong) {
        if (f == FLOW_AGAIN)
            sleep_in_the_loop(&r, publisher);
    }
    shm_ring_close(&r.ring);
    if (records)
        printf("%llu records, %s\n", (unsigned long long)r.next,
               r.wrong ? "one of them wrong" : "all in order");
    shm_ring_fini(&r.ring);
    return r.wrong || f == FLOW_FAILED ? 1 : 0;
}

/* The publisher. */

struct publisher {
    struct shm_ring ring;
    pid_t reader;
    int status; /* of the reader, when it has ended */
    bool ended;
};

static void look_at_reader(struct publisher *p, int options)
{
    if (p->ended || waitpid(p->reader, &p->status, options) != p->reader)
        return;
    p->ended = true;
    shm_ring_abandon(&p->ring);
}

/* Room for n bytes, however long it takes; false: nobody reads any more. */
static bool room_for(struct publisher *p, size_t n, char **ret_room,
                     size_t *ret_n)
{
    enum flow f;
    while ((f = shm_ring_reserve(&p->ring, n, ret_room, ret_n)) == FLOW_FULL) {
        if (shm_ring_wait(&p->ring, n, LOOK_MS) != FLOW_DONE)
            look_at_reader(p, WNOHANG);
    }
    return f == FLOW_DONE;
}

static void publish_input(struct publisher *p)
{
    char *room;
    size_t n;
    ssize_t got = 1;
    while (got > 0 && room_for(p, PIECE_BYTES, &room, &n)) {
        got = read(STDIN_FILENO, room, n);
        if (got > 0)
            shm_ring_commit(&p->ring, (size_t)got);
    }
}

static void publish_records(struct publisher *p, uint64_t records)
{
    char *room;
    size_t n;
    for (uint64_t i = 0; i < records; i++) {
        if (!room_for(p, RECORD_BYTES, &room, &n))
            return;
        memset(room, 0, RECORD_BYTES);
        memcpy(room, &i, sizeof i);
        shm_ring_commit(&p->ring, RECORD_BYTES);
    }
}

int main(int argc, char **argv)
{
    struct publisher p = {.status = 0};
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    if (argc > 2 || records > RECORDS_MAX || (argc > 1 && records == 0)) {
        fprintf(stderr, "usage: shm_publish [RECORDS]\n");
        return 2;
    }
    if (!shm_ring_create(&p.ring, "publish", CAP_BYTES, SHM_WRITER)) {
        perror("shm_publish");
        return 1;
    }
    pid_t self = getpid();
    p.reader = fork();
    if (p.reader == 0)
        exit(run_reader(&p.ring, self, records > 0));
    if (records > 0)
        publish_records(&p, records);
    else
        publish_input(&p);
    shm_ring_close(&p.ring);
    look_at_reader(&p, 0);
    shm_ring_fini(&p.ring);
    return WIFEXITED(p.status) ? WEXITSTATUS(p.status) : 1;
}
