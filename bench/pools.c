/* pools.c - the block pool beside malloc() and jemalloc, on the server's own
 * allocations.
 *
 *      pools TRACE [ROUNDS]
 *
 * bench/pool-trace records TRACE. Its blocks are got and put again in the same
 * order, with the same lifetimes and sizes. Each allocator has a process of its
 * own in each round, so that none inherits the heap of another; rounds are
 * interleaved, and figures are medians. "nothing" touches the same few bytes
 * over and over: what the replay costs without an allocator.
 *
 * Exit codes: 0 measured, 2 usage, 3 it could not run. */
#include "bench/trace/block_trace.h"
#include "buffers/block_inner.h"

#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of jemalloc: the loader only warns when it is not there. */
int mallctl(const char *, void *, size_t *, void *, size_t)
    __attribute__((weak));

enum {
    ROUNDS_MAX = 99,
    ROUNDS = 9,
    LOOP_MS = 200, /* of processor time at least, in a round */
    LOOPS_MAX = 100000,
    TOUCH_BYTES = 64,
};

#define KEEP_BYTES (4u << 20) /* as the server's pool_keep */
#define JEMALLOC   "libjemalloc.so.2"

enum kind {
    KIND_NOTHING,
    KIND_MALLOC,
    KIND_JEMALLOC,
    KIND_POOL,
    KINDS,
};

static const char *const kind_names[KINDS] = {
    [KIND_NOTHING] = "nothing",
    [KIND_MALLOC] = "malloc",
    [KIND_JEMALLOC] = "jemalloc",
    [KIND_POOL] = "block_pool",
};

enum touch {
    TOUCH_ENDS,
    TOUCH_ALL,
    TOUCHES,
};

static const char *const touch_names[TOUCHES] = {
    [TOUCH_ENDS] = "first and last cache line",
    [TOUCH_ALL] = "all bytes",
};

struct figures {
    double ns;     /* of processor time, for a get and its put */
    double faults; /* of pages, for a thousand blocks */
    double mib;    /* resident at most */
};

/* Replaying, in a process of its own. */

struct replay {
    struct block_trace trace;
    enum kind kind;
    enum touch touch;
    struct block_pool pool;
    struct budget budget;
    uint64_t now_ms;
    void *held[BLOCK_TRACE_LIVE_MAX];
};

static char nothing[BLOCK_4M_BYTES];

static void touch(enum touch how, char *at, size_t bytes)
{
    if (how == TOUCH_ALL) {
        memset(at, 1, bytes);
    } else {
        memset(at, 1, TOUCH_BYTES);
        memset(at + bytes - TOUCH_BYTES, 1, TOUCH_BYTES);
    }
    __asm__ volatile("" ::"r"(at) : "memory");
}

static void get(struct replay *r, struct block_act act)
{
    enum block_class c = act.class;
    char *data = NULL;
    if (r->kind == KIND_POOL) {
        struct block *b = block_pool_get(&r->pool, c, BUDGET_LEAVING, "replay");
        r->held[act.slot] = b;
        data = b ? b->data : NULL;
    } else {
        data =
            r->kind == KIND_NOTHING ? nothing : malloc(block_malloc_bytes(c));
        r->held[act.slot] = data;
    }
    if (!data)
        abort();
    touch(r->touch, data, block_class_bytes(c));
}

static void put(struct replay *r, struct block_act act)
{
    if (r->kind == KIND_POOL)
        block_unref(r->held[act.slot]);
    else if (r->kind != KIND_NOTHING)
        free(r->held[act.slot]);
}

static void replay_once(struct replay *r)
{
    for (size_t i = 0; i < r->trace.acts_n; i++) {
        struct block_act act = r->trace.acts[i];
        if (act.kind == BLOCK_ACT_GET)
            get(r, act);
        else if (act.kind == BLOCK_ACT_PUT)
            put(r, act);
        else if (r->kind == KIND_POOL)
            block_pool_sweep(&r->pool, r->now_ms += 1000);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t faults_so_far(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (uint64_t)use.ru_minflt;
}

static unsigned long resident_max_kib(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void pool_begin(struct replay *r)
{
    struct block_pool_config config = {.name = "replay", .budget = &r->budget};
    budget_init(&r->budget, UINT64_C(8) << 30);
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++)
        config.keep_max[c] =
            (uint32_t)(KEEP_BYTES / BLOCK_CLASSES / block_class_bytes(c));
    block_pool_init(&r->pool, &config);
}

/* The first time is for the caches and the heap; then it counts. */
static int replay(enum kind kind, enum touch how, int fd)
{
    static struct replay r;
    const char *wrong = block_trace_map(&r.trace, fd);
    if (wrong) {
        fprintf(stderr, "pools: %s\n", wrong);
        return 3;
    }
    if (kind == KIND_JEMALLOC && !mallctl) {
        fprintf(stderr, "pools: " JEMALLOC " is not there\n");
        return 3;
    }
    r.kind = kind;
    r.touch = how;
    pool_begin(&r);
    replay_once(&r);
    uint64_t faults = faults_so_far();
    uint64_t begin_ns = cpu_ns();
    uint64_t ns = 0;
    uint64_t loops = 0;
    for (; loops < LOOPS_MAX && ns < LOOP_MS * UINT64_C(1000000); loops++) {
        replay_once(&r);
        ns = cpu_ns() - begin_ns;
    }
    double blocks = (double)loops * (double)r.trace.gets_n;
    printf("%f %f %lu\n", (double)ns / blocks,
           (double)(faults_so_far() - faults) * 1000 / blocks,
           resident_max_kib());
    block_pool_fini(&r.pool);
    return 0;
}

/* Asking for it, round after round. */

static char *const *environment_of(enum kind kind)
{
    static char preload[] = "LD_PRELOAD=" JEMALLOC;
    static char *with_jemalloc[] = {preload, NULL};
    return kind == KIND_JEMALLOC ? with_jemalloc : environ;
}

static bool run(enum kind kind, enum touch how, int fd, struct figures *ret_f)
{
    char words[3][16];
    unsigned long kib = 0;
    int out[2];
    int status = 1;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    snprintf(words[0], sizeof words[0], "%d", (int)kind);
    snprintf(words[1], sizeof words[1], "%d", (int)how);
    snprintf(words[2], sizeof words[2], "%d", fd);
    char self[] = "/proc/self/exe";
    char option[] = "--replay";
    char *argv[] = {self, option, words[0], words[1], words[2], NULL};
    if (pipe2(out, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    bool begun = posix_spawn(&pid, self, &actions, NULL, argv,
                             environment_of(kind)) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    bool told = begun && f &&
                fscanf(f, "%lf %lf %lu", &ret_f->ns, &ret_f->faults, &kib) == 3;
    ret_f->mib = (double)kib / 1024;
    if (f)
        fclose(f);
    if (begun)
        waitpid(pid, &status, 0);
    return told && status == 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof values[0], by_size);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct results {
    double ns[KINDS][ROUNDS_MAX];
    double faults[KINDS][ROUNDS_MAX];
    double mib[KINDS][ROUNDS_MAX];
};

static bool measure(enum touch how, int fd, int rounds, struct results *results)
{
    for (int i = 0; i < rounds; i++)
        for (int k = 0; k < KINDS; k++) {
            int kind = i % 2 ? KINDS - 1 - k : k;
            struct figures f;
            if (!run((enum kind)kind, how, fd, &f)) {
                fprintf(stderr, "pools: %s could not be measured\n",
                        kind_names[kind]);
                return false;
            }
            results->ns[kind][i] = f.ns;
            results->faults[kind][i] = f.faults;
            results->mib[kind][i] = f.mib;
        }
    return true;
}

/* Memory is what the allocator added to the replay alone. */
static void print_results(enum touch how, int rounds, struct results *results)
{
    double base_mib = median(results->mib[KIND_NOTHING], rounds);
    double malloc_ns = median(results->ns[KIND_MALLOC], rounds);
    printf("\nTouching %s:\n\n", touch_names[how]);
    printf("| allocator | ns per block | lowest to highest | of malloc | "
           "page faults per 1000 | peak MiB |\n");
    printf("|---|---:|---:|---:|---:|---:|\n");
    for (int k = 0; k < KINDS; k++) {
        double ns = median(results->ns[k], rounds);
        printf("| %s | %.1f | %.1f to %.1f | %.2f | %.2f | %.1f |\n",
               kind_names[k], ns, results->ns[k][0], results->ns[k][rounds - 1],
               ns / malloc_ns, median(results->faults[k], rounds),
               median(results->mib[k], rounds) - base_mib);
    }
}

static void print_trace(const struct block_trace *t)
{
    printf("%" PRIu64 " events, %zu blocks got", t->events_n, t->gets_n);
    if (t->events_lost > 0)
        printf(" (%" PRIu64 " more events had no room)", t->events_lost);
    printf("\n\n| class | got | most at a time |\n|---|---:|---:|\n");
    for (enum block_class c = 0; c < BLOCK_CLASSES; c++)
        printf("| %s | %zu | %zu |\n", block_class_name(c), t->gets_of[c],
               t->live_max_of[c]);
}

static int compare(const char *path, int rounds)
{
    static struct results results;
    struct block_trace t;
    const char *wrong = block_trace_read(&t, path);
    if (wrong) {
        fprintf(stderr, "pools: %s: %s\n", path, wrong);
        return 3;
    }
    print_trace(&t);
    for (int how = 0; how < TOUCHES; how++) {
        if (!measure((enum touch)how, t.fd, rounds, &results))
            return 3;
        print_results((enum touch)how, rounds, &results);
    }
    return 0;
}

static int number(const char *text, int max)
{
    char *end;
    long n = strtol(text, &end, 10);
    return *text && !*end && n >= 0 && n <= max ? (int)n : -1;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--replay") == 0) {
        int kind = number(argv[2], KINDS - 1);
        int how = number(argv[3], TOUCHES - 1);
        int fd = number(argv[4], 1 << 20);
        if (kind >= 0 && how >= 0 && fd >= 0)
            return replay((enum kind)kind, (enum touch)how, fd);
    }
    int rounds = argc == 3 ? number(argv[2], ROUNDS_MAX) : ROUNDS;
    if (argc < 2 || argc > 3 || rounds < 1) {
        fprintf(stderr, "usage: pools TRACE [ROUNDS]\n");
        return 2;
    }
    return compare(argv[1], rounds);
}
