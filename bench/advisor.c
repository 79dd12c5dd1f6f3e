/* advisor.c - what the advisor gains on loads that come in bursts.
 *
 *   advisor [--rounds N] [--told]
 *
 * Blocks     bursts of 64 KiB blocks that are taken, filled from the page
 *            cache and put, again in each of TURNS steps; phases of other
 *            heights and gaps, 20 minutes of them. Kept: what the pool says;
 *            held: what the process really grew by. Averages over time.
 * Reads      a pipe into which messages or bulk data are written, in phases,
 *            ten minutes of them; read until it is empty. Held: the size of
 *            the read buffer, averaged over time.
 *
 * Promise    every way meets the same load. Rounds are interleaved, each begins
 *            with another way; a figure is the median of its rounds, with the
 *            lowest and the highest.
 * Clock      the load's time is simulated: gaps cost nothing, a run takes a
 *            moment. Cost is the thread's processor time, measured.
 * Target     advised (and aged), both cost at most COST_MAX times what the
 *            generous fixed setting costs, and hold at most HELD_MAX of what it
 *            holds when its bound alone limits it.
 * Exit code  0 targets met, 1 missed, 2 usage.
 * Limits     ROUNDS_MAX rounds. */
#include "buffers/advisor.h"
#include "buffers/block_pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum {
    ROUNDS_DEFAULT = 3,
    ROUNDS_MAX = 99,
    STEP_MS = ADVISOR_TICK_MS,
    SWEEP_MS = 1000, /* the pool's */
    START_MS = 1000,
    SEED = 20250301,
    PIPE_BYTES = 1 << 20,
    TURNS = 8, /* steps of a burst, with all its blocks in each */
    KEEP_SMALL = 16,
    KEEP_GENEROUS = 512,
    READ_SMALL = 4 << 10,
    READ_GENEROUS = 256 << 10,
    WAYS_MAX = 5,
    MIB = 1 << 20,
};

static const double COST_MAX = 1.10;
static const double HELD_MAX = 0.60;

struct way {
    const char *name;
    uint64_t value; /* to begin with */
    bool advised;
    bool aged; /* the pool lets go of what nobody needed */
};

enum { SMALL, GENEROUS, GENEROUS_AGED, ADVISED, ADVISED_AGED };

static const struct way pool_ways[] = {
    [SMALL] = {"keep 16, never aged", KEEP_SMALL, false, false},
    [GENEROUS] = {"keep 512, never aged", KEEP_GENEROUS, false, false},
    [GENEROUS_AGED] = {"keep 512, aged", KEEP_GENEROUS, false, true},
    [ADVISED] = {"advised, never aged", KEEP_SMALL, true, false},
    [ADVISED_AGED] = {"advised, aged", KEEP_SMALL, true, true},
};

enum { READ_WAY_SMALL, READ_WAY_GENEROUS, READ_WAY_ADVISED };

static const struct way read_ways[] = {
    [READ_WAY_SMALL] = {"4 KiB", READ_SMALL, false, false},
    [READ_WAY_GENEROUS] = {"256 KiB", READ_GENEROUS, false, false},
    [READ_WAY_ADVISED] = {"advised, 4 to 256 KiB", READ_SMALL, true, false},
};

struct phase {
    unsigned seconds;
    unsigned gap_ms; /* from burst to burst */
    unsigned low;    /* blocks, or KiB */
    unsigned high;
};

static const struct phase pool_phases[] = {
    {120, 500, 4, 12},     /* calm */
    {120, 1000, 150, 200}, /* busy */
    {180, 500, 4, 12},
    {40, 2000, 400, 480},  /* a peak */
    {240, 8000, 180, 220}, /* bursts with gaps */
    {240, 500, 4, 12},
    {300, 25000, 280, 320}, /* gaps in which blocks grow old */
};

static const struct phase read_phases[] = {
    {120, 250, 0, 2}, /* messages */
    {60, 250, 700, 1000}, {120, 250, 0, 2},
    {60, 500, 100, 130},  {60, 8000, 700, 1000}, /* bulk now and then */
    {180, 250, 0, 2},
};

struct outcome {
    double cost[ROUNDS_MAX]; /* ns a block, us a MiB */
    double held[ROUNDS_MAX]; /* bytes */
    double kept;             /* bytes in the pool, of the last round */
    double hits;             /* share, likewise */
    uint64_t changes_n;
};

struct options {
    unsigned rounds;
    bool told;
};

struct bench {
    struct options options;
    struct outcome pool[WAYS_MAX];
    struct outcome read[WAYS_MAX];
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void tell(void *arg, const struct advice *advice)
{
    const bool *told = arg;
    if (*told)
        printf("%s: %s\n", advice->knob, advice->reason);
}

/* Simulated time, in steps. */

struct trace {
    const struct phase *phases;
    size_t phases_n;
    size_t phase;
    uint64_t now_ms;
    uint64_t phase_end_ms;
    uint64_t next_burst_ms;
    unsigned seed;
};

static void trace_init(struct trace *t, const struct phase *phases, size_t n)
{
    *t = (struct trace){.phases = phases,
                        .phases_n = n,
                        .now_ms = START_MS,
                        .phase_end_ms = START_MS + phases[0].seconds * 1000,
                        .next_burst_ms = START_MS,
                        .seed = SEED};
}

/* The next step; *ret_burst is 0 when no burst falls into it. */
static bool trace_step(struct trace *t, unsigned *ret_burst)
{
    t->now_ms += STEP_MS;
    *ret_burst = 0;
    if (t->now_ms >= t->phase_end_ms && ++t->phase < t->phases_n)
        t->phase_end_ms += t->phases[t->phase].seconds * 1000;
    if (t->phase == t->phases_n)
        return false;
    const struct phase *p = &t->phases[t->phase];
    if (t->now_ms < t->next_burst_ms)
        return true;
    t->next_burst_ms = t->now_ms + p->gap_ms;
    *ret_burst = p->low + (unsigned)rand_r(&t->seed) % (p->high - p->low + 1);
    if (*ret_burst == 0)
        *ret_burst = 1;
    return true;
}

/* Blocks. */

struct pool_run {
    struct block_pool pool;
    struct advisor advisor;
    struct knob keep;
    struct block *out[KEEP_GENEROUS];
    int file;
    unsigned burst;
    unsigned turns_left;
    uint64_t ns;
    uint64_t blocks;
    double kept_ms;     /* blocks kept, times milliseconds */
    double resident_ms; /* pages of the process, likewise */
    uint64_t resident_before;
};

static void apply_keep(void *self, uint64_t value)
{
    block_pool_set_keep(self, BLOCK_64K, (uint32_t)value);
}

/* From the page cache, as a file is read. */
static void fill(const struct pool_run *r, struct block *b)
{
    ssize_t n = pread(r->file, b->data, b->cap, 0);
    assert(n == (ssize_t)b->cap);
    b->len = b->cap;
}

static int make_file(size_t bytes)
{
    int fd = memfd_create("advisor", MFD_CLOEXEC);
    char *data = malloc(bytes);
    assert(fd >= 0 && data);
    memset(data, 'x', bytes);
    ssize_t n = pwrite(fd, data, bytes, 0);
    assert(n == (ssize_t)bytes);
    free(data);
    return fd;
}

static void fill_and_put(struct pool_run *r, unsigned n)
{
    assert(n <= COUNT(r->out));
    uint64_t began_ns = cpu_ns();
    for (unsigned i = 0; i < n; i++) {
        r->out[i] =
            block_pool_get(&r->pool, BLOCK_64K, BUDGET_LEAVING, "bench");
        assert(r->out[i]);
        fill(r, r->out[i]);
    }
    for (unsigned i = 0; i < n; i++)
        block_unref(r->out[i]);
    r->ns += cpu_ns() - began_ns;
    r->blocks += n;
}

/* A burst begins, or the last one goes on. */
static void burst_of_blocks(struct pool_run *r, unsigned n)
{
    if (n > 0) {
        r->burst = n;
        r->turns_left = TURNS;
    }
    if (r->turns_left == 0)
        return;
    r->turns_left--;
    fill_and_put(r, r->burst);
}

static void look_at_pool(struct pool_run *r, uint64_t now_ms)
{
    struct block_pool_stats stats;
    block_pool_stats(&r->pool, true, &stats);
    knob_observe_level(&r->keep, stats.class[BLOCK_64K].window_peak);
    advisor_tick(&r->advisor, now_ms);
}

static uint64_t resident_pages(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    assert(n > 0);
    close(fd);
    text[n] = '\0';
    char *resident = strchr(text, ' ');
    assert(resident);
    return strtoull(resident, NULL, 10);
}

static uint64_t blocks_kept(struct pool_run *r)
{
    struct block_pool_stats stats;
    block_pool_stats(&r->pool, false, &stats);
    return stats.class[BLOCK_64K].kept;
}

static void start_pool(struct pool_run *r, const struct way *way,
                       const bool *told)
{
    struct block_pool_config config = {.name = "bench"};
    config.keep_max[BLOCK_64K] = (uint32_t)way->value;
    memset(r, 0, sizeof *r);
    block_pool_init(&r->pool, &config);
    r->file = make_file(BLOCK_64K_BYTES);
    r->keep = (struct knob){.name = "keep",
                            .unit = "blocks",
                            .kind = KNOB_LEVEL,
                            .min = KEEP_SMALL,
                            .max = KEEP_GENEROUS,
                            .value = way->value,
                            .self = &r->pool,
                            .apply = apply_keep};
    advisor_init(&r->advisor, ADVISOR_WINDOW_MS, tell, (void *)told);
    advisor_enable(&r->advisor, way->advised);
    advisor_add(&r->advisor, &r->keep);
    r->resident_before = resident_pages();
}

static void end_pool(struct pool_run *r, struct outcome *o, unsigned round,
                     uint64_t ms)
{
    struct block_pool_stats stats;
    block_pool_stats(&r->pool, false, &stats);
    const struct block_class_stats *c = &stats.class[BLOCK_64K];
    o->cost[round] = (double)r->ns / (double)r->blocks;
    double pages = r->resident_ms / (double)ms - (double)r->resident_before;
    o->held[round] = pages * (double)sysconf(_SC_PAGESIZE);
    o->kept =
        r->kept_ms / (double)ms * (double)block_class_cost_bytes(BLOCK_64K);
    o->hits = (double)c->hits / (double)c->retrieved;
    o->changes_n = atomic_load(&r->advisor.changes_n);
    advisor_remove(&r->advisor, &r->keep);
    advisor_fini(&r->advisor);
    block_pool_fini(&r->pool);
    close(r->file);
    malloc_trim(0); /* each way begins with nothing */
}

static void run_pool(struct bench *bench, size_t way, unsigned round)
{
    static struct pool_run r;
    bool told = bench->options.told && round == 0 && pool_ways[way].advised;
    struct trace t;
    unsigned burst;
    start_pool(&r, &pool_ways[way], &told);
    trace_init(&t, pool_phases, COUNT(pool_phases));
    while (trace_step(&t, &burst)) {
        burst_of_blocks(&r, burst);
        if (pool_ways[way].aged && t.now_ms % SWEEP_MS == 0)
            block_pool_sweep(&r.pool, t.now_ms);
        look_at_pool(&r, t.now_ms);
        r.kept_ms += (double)blocks_kept(&r) * STEP_MS;
        r.resident_ms += (double)resident_pages() * STEP_MS;
    }
    end_pool(&r, &bench->pool[way], round, t.now_ms - START_MS);
}

/* Reads. */

struct read_run {
    struct advisor advisor;
    struct knob size;
    int fds[2];
    char *buffer;
    uint64_t ns;
    uint64_t bytes;
    double held_ms; /* bytes of the buffer, times milliseconds */
};

/* Another size is another buffer: the pages of the old one go back. */
static void apply_size(void *self, uint64_t value)
{
    struct read_run *r = self;
    uint64_t began_ns = cpu_ns();
    free(r->buffer);
    r->buffer = malloc(value);
    assert(r->buffer);
    r->ns += cpu_ns() - began_ns;
}

static void start_read(struct read_run *r, const struct way *way,
                       const bool *told)
{
    memset(r, 0, sizeof *r);
    if (pipe2(r->fds, O_NONBLOCK | O_CLOEXEC) != 0 ||
        fcntl(r->fds[1], F_SETPIPE_SZ, PIPE_BYTES) < 0) {
        perror("advisor: pipe");
        exit(1);
    }
    apply_size(r, way->value);
    r->size = (struct knob){.name = "read size",
                            .unit = "bytes",
                            .kind = KNOB_SIZE,
                            .min = READ_SMALL,
                            .max = READ_GENEROUS,
                            .value = way->value,
                            .self = r,
                            .apply = apply_size};
    advisor_init(&r->advisor, ADVISOR_WINDOW_MS, tell, (void *)told);
    advisor_enable(&r->advisor, way->advised);
    advisor_add(&r->advisor, &r->size);
}

static void end_read(struct read_run *r, struct outcome *o, unsigned round,
                     uint64_t ms)
{
    o->cost[round] = (double)r->ns / 1000 / ((double)r->bytes / MIB);
    o->held[round] = r->held_ms / (double)ms;
    o->changes_n = atomic_load(&r->advisor.changes_n);
    advisor_remove(&r->advisor, &r->size);
    advisor_fini(&r->advisor);
    close(r->fds[0]);
    close(r->fds[1]);
    free(r->buffer);
}

static void fill_pipe(struct read_run *r, size_t n)
{
    static char data[PIPE_BYTES];
    assert(n <= sizeof data);
    ssize_t written = n > 0 ? write(r->fds[1], data, n) : 0;
    assert(written == (ssize_t)n);
}

/* A read that came back short has emptied the pipe. */
static void empty_pipe(struct read_run *r)
{
    uint64_t began_ns = cpu_ns();
    ssize_t n;
    size_t asked;
    do {
        asked = knob_value(&r->size);
        n = read(r->fds[0], r->buffer, asked);
        if (n > 0) {
            knob_observe_size(&r->size, asked, (uint64_t)n);
            r->bytes += (uint64_t)n;
        }
    } while (n == (ssize_t)asked);
    r->ns += cpu_ns() - began_ns;
}

/* Bursts below 3 KiB are ten messages, each read by itself. */
static void burst_of_bytes(struct read_run *r, unsigned kib, unsigned *seed)
{
    if (kib > 2) {
        fill_pipe(r, (size_t)kib << 10);
        empty_pipe(r);
        return;
    }
    for (int i = 0; kib > 0 && i < 10; i++) {
        fill_pipe(r, 50 + (size_t)rand_r(seed) % 500);
        empty_pipe(r);
    }
}

static void run_read(struct bench *bench, size_t way, unsigned round)
{
    struct read_run r;
    bool told = bench->options.told && round == 0 && read_ways[way].advised;
    struct trace t;
    unsigned burst;
    start_read(&r, &read_ways[way], &told);
    trace_init(&t, read_phases, COUNT(read_phases));
    while (trace_step(&t, &burst)) {
        burst_of_bytes(&r, burst, &t.seed);
        advisor_tick(&r.advisor, t.now_ms);
        r.held_ms += (double)knob_value(&r.size) * STEP_MS;
    }
    end_read(&r, &bench->read[way], round, t.now_ms - START_MS);
}

/* Figures. */

static void run_rounds(struct bench *bench)
{
    for (unsigned round = 0; round < bench->options.rounds; round++) {
        for (size_t i = 0; i < COUNT(pool_ways); i++)
            run_pool(bench, (i + round) % COUNT(pool_ways), round);
        for (size_t i = 0; i < COUNT(read_ways); i++)
            run_read(bench, (i + round) % COUNT(read_ways), round);
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort_rounds(struct outcome *outcomes, size_t n, unsigned rounds)
{
    for (size_t i = 0; i < n; i++) {
        qsort(outcomes[i].cost, rounds, sizeof(double), compare_doubles);
        qsort(outcomes[i].held, rounds, sizeof(double), compare_doubles);
    }
}

static void print_row(const struct bench *bench, const struct way *way,
                      const struct outcome *o, const struct outcome *generous)
{
    unsigned rounds = bench->options.rounds;
    double cost = o->cost[rounds / 2];
    double held = o->held[rounds / 2];
    printf("| %s | %.0f [%.0f..%.0f] | %.2f | %.2f | %.2f | %llu |", way->name,
           cost, o->cost[0], o->cost[rounds - 1],
           cost / generous->cost[rounds / 2], held / MIB,
           held / generous->held[rounds / 2], (unsigned long long)o->changes_n);
}

static void print_tables(const struct bench *bench)
{
    printf("## Blocks of 64 KiB: nanoseconds to take, fill and put one\n\n"
           "| | ns | of generous | MiB held | of generous | changes | MiB kept "
           "| hits |\n"
           "|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < COUNT(pool_ways); i++) {
        print_row(bench, &pool_ways[i], &bench->pool[i],
                  &bench->pool[GENEROUS]);
        printf(" %.2f | %.1f %% |\n", bench->pool[i].kept / MIB,
               bench->pool[i].hits * 100);
    }
    printf("\n## Reads: microseconds a MiB\n\n"
           "| | us | of generous | MiB held | of generous | changes |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < COUNT(read_ways); i++) {
        print_row(bench, &read_ways[i], &bench->read[i],
                  &bench->read[READ_WAY_GENEROUS]);
        printf("\n");
    }
    printf("\nMedian [lowest..highest] of %u rounds; processor time.\n",
           bench->options.rounds);
}

static bool target_met(const struct bench *bench, const char *what,
                       const struct outcome *advised,
                       const struct outcome *generous)
{
    unsigned middle = bench->options.rounds / 2;
    double cost = advised->cost[middle] / generous->cost[middle];
    double held = advised->held[middle] / generous->held[middle];
    bool met = cost <= COST_MAX && held <= HELD_MAX;
    printf("Target: %s, advised, at most %.2f of the cost and %.2f of the "
           "memory: %.2f and %.2f, %s.\n",
           what, COST_MAX, HELD_MAX, cost, held, met ? "met" : "missed");
    return met;
}

static int verdict(const struct bench *bench)
{
    printf("\n");
    bool pool = target_met(bench, "blocks", &bench->pool[ADVISED_AGED],
                           &bench->pool[GENEROUS]);
    bool reads = target_met(bench, "reads", &bench->read[READ_WAY_ADVISED],
                            &bench->read[READ_WAY_GENEROUS]);
    return pool && reads ? 0 : 1;
}

static void usage(void)
{
    fprintf(stderr, "usage: advisor [--rounds 1..%d] [--told]\n", ROUNDS_MAX);
    exit(2);
}

static unsigned number(const char *text, unsigned low, unsigned high)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < low || n > high)
        usage();
    return (unsigned)n;
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"rounds", required_argument, NULL, 'r'},
        {"told", no_argument, NULL, 't'},
        {0},
    };
    struct options o = {.rounds = ROUNDS_DEFAULT};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'r')
            o.rounds = number(optarg, 1, ROUNDS_MAX);
        else if (c == 't')
            o.told = true;
        else
            usage();
    }
    if (optind != argc)
        usage();
    return o;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    bench.options = parse_options(argc, argv);
    run_rounds(&bench);
    sort_rounds(bench.pool, COUNT(pool_ways), bench.options.rounds);
    sort_rounds(bench.read, COUNT(read_ways), bench.options.rounds);
    print_tables(&bench);
    return verdict(&bench);
}
