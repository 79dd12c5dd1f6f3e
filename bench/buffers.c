/* buffers.c - the thread-safe buffers beside other queues.
 *
 *   buffers [--rounds N] [--elements N] [--only TEXT]
 *
 * Promise    every queue moves the same bytes: an element is copied in and
 *            copied out. What comes out is compared with what was put in.
 *            Rounds are interleaved, each begins with another queue; a figure
 *            is the median of its rounds, with the lowest and the highest.
 * Target     a block buffer with add and next moves 64 bytes between one
 *            producer and one consumer at least TARGET_RATIO times as fast as
 *            a plain queue of one lock and two conditions.
 * Exit code  0 target met, 1 missed or a queue was wrong, 2 usage.
 * Limits     ROUNDS_MAX rounds, ELEMENTS_MAX elements a run. A run takes
 *            about RUN_NS, so that slow queues do not make it long.
 * Threads    one at a time runs a race; the race starts its own. */
#include "bench/latency.h"
#include "bench/queues/queue.h"
#include "bench/queues/race.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum {
    ROUNDS_DEFAULT = 7,
    ROUNDS_MAX = 99,
    ELEMENTS_DEFAULT = 1000000,
    ELEMENTS_MAX = 100000000,
    ELEMENTS_MIN = 1000,
    ELEMENTS_TO_GUESS = 64,
    SPARSE_ELEMENTS = 240,
    CELL_TEXT_BYTES = 64,
};

static const double RUN_NS = 100e6;
static const double TARGET_RATIO = 2.0;

/* The first is the measure. */
static const struct queue_ops *const queues[] = {
    &queue_plain, &queue_block, &queue_block_batch, &queue_growable,
    &queue_ring,  &queue_pipe,  &queue_ck_ring,     &queue_wfcqueue,
};

/* Fewer large ones: all hold at most 1 MiB, as a pipe may. */
static const struct queue_shape shapes[] = {
    {1, 1024, 1}, {8, 1024, 1}, {64, 1024, 1}, {4096, 256, 1},
    {1, 1024, 4}, {8, 1024, 4}, {64, 1024, 4}, {4096, 256, 4},
};

enum { SIZES = COUNT(shapes) / 2, TARGET_QUEUE = 1, TARGET_SHAPE = 2 };

struct options {
    unsigned rounds;
    size_t elements;
    const char *only;
};

struct cell {
    size_t elements; /* a run */
    double ns[ROUNDS_MAX];
    double lost; /* share, of the last round */
    struct latency latency;
};

struct bench {
    struct options options;
    bool wrong;
    struct cell cells[COUNT(queues)][COUNT(shapes)];
};

static bool takes_part(const struct bench *bench, size_t queue)
{
    return queue == 0 || !bench->options.only ||
           strstr(queues[queue]->name, bench->options.only);
}

/* Where many threads wait in turn for one that has no processor, a run would
 * take minutes. */
static bool runs(const struct bench *bench, size_t queue, size_t shape)
{
    long needed = 2 * (long)shapes[shape].threads;
    return takes_part(bench, queue) &&
           (!queues[queue]->shared_spin || needed == 2 ||
            needed <= sysconf(_SC_NPROCESSORS_ONLN));
}

static void must_be_right(struct bench *bench, size_t queue, bool right)
{
    if (!right)
        fprintf(stderr, "buffers: %s gave what was not put in\n",
                queues[queue]->name);
    bench->wrong = bench->wrong || !right;
}

static struct race race_of(size_t queue, size_t shape, size_t elements)
{
    return (struct race){queues[queue], shapes[shape], elements};
}

/* Longer and longer runs until one says something: a spinning queue with more
 * threads than processors may need milliseconds for an element. */
static void guess_elements(struct bench *bench, size_t queue, size_t shape)
{
    size_t n = ELEMENTS_TO_GUESS;
    double ns;
    double lost;
    for (;;) {
        struct race race = race_of(queue, shape, n);
        must_be_right(bench, queue, race_speed(&race, &ns, &lost));
        if (ns * (double)n > RUN_NS / 8 || n >= bench->options.elements)
            break;
        n *= 4;
    }
    double fits = RUN_NS / ns;
    double most = (double)bench->options.elements;
    if (fits < ELEMENTS_TO_GUESS)
        fits = ELEMENTS_TO_GUESS;
    bench->cells[queue][shape].elements = (size_t)(fits < most ? fits : most);
}

static void run_cell(struct bench *bench, size_t queue, size_t shape,
                     unsigned round)
{
    struct cell *cell = &bench->cells[queue][shape];
    struct race race = race_of(queue, shape, cell->elements);
    must_be_right(bench, queue,
                  race_speed(&race, &cell->ns[round], &cell->lost));
    race.elements = SPARSE_ELEMENTS;
    if (queues[queue]->batch == 1)
        must_be_right(bench, queue, race_sparse(&race, &cell->latency));
}

static void run_rounds(struct bench *bench)
{
    for (size_t shape = 0; shape < COUNT(shapes); shape++)
        for (size_t queue = 0; queue < COUNT(queues); queue++)
            if (runs(bench, queue, shape))
                guess_elements(bench, queue, shape);
    for (unsigned round = 0; round < bench->options.rounds; round++)
        for (size_t i = 0; i < COUNT(shapes) * COUNT(queues); i++) {
            size_t queue = (i + round) % COUNT(queues);
            size_t shape = i / COUNT(queues);
            if (runs(bench, queue, shape))
                run_cell(bench, queue, shape, round);
        }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort_rounds(struct bench *bench)
{
    for (size_t queue = 0; queue < COUNT(queues); queue++)
        for (size_t shape = 0; shape < COUNT(shapes); shape++)
            qsort(bench->cells[queue][shape].ns, bench->options.rounds,
                  sizeof(double), compare_doubles);
}

static double median_ns(const struct bench *bench, size_t queue, size_t shape)
{
    return bench->cells[queue][shape].ns[bench->options.rounds / 2];
}

/* How many times as fast as the plain queue. */
static double ratio(const struct bench *bench, size_t queue, size_t shape)
{
    return median_ns(bench, 0, shape) / median_ns(bench, queue, shape);
}

static void speed_text(const struct bench *bench, size_t queue, size_t shape,
                       char ret_text[CELL_TEXT_BYTES])
{
    const struct cell *cell = &bench->cells[queue][shape];
    if (!runs(bench, queue, shape)) {
        snprintf(ret_text, CELL_TEXT_BYTES, "-");
        return;
    }
    int n = snprintf(ret_text, CELL_TEXT_BYTES, "%.0f [%.0f..%.0f] %.1fx",
                     median_ns(bench, queue, shape), cell->ns[0],
                     cell->ns[bench->options.rounds - 1],
                     ratio(bench, queue, shape));
    if (queues[queue]->lost)
        snprintf(ret_text + n, CELL_TEXT_BYTES - (size_t)n, ", lost %.0f %%",
                 cell->lost * 100);
}

static void latency_text(const struct bench *bench, size_t queue, size_t shape,
                         char ret_text[CELL_TEXT_BYTES])
{
    const struct latency *latency = &bench->cells[queue][shape].latency;
    if (latency->n == 0)
        snprintf(ret_text, CELL_TEXT_BYTES, "-");
    else
        snprintf(ret_text, CELL_TEXT_BYTES, "%.1f / %.1f",
                 latency_us(latency, 0.5), latency_us(latency, 0.99));
}

typedef void cell_text(const struct bench *bench, size_t queue, size_t shape,
                       char ret_text[CELL_TEXT_BYTES]);

static void print_table(const struct bench *bench, size_t first_shape,
                        cell_text *text_of)
{
    char text[CELL_TEXT_BYTES];
    printf("| |");
    for (size_t i = 0; i < SIZES; i++)
        printf(" %zu B |", shapes[first_shape + i].elem_bytes);
    printf("\n|---|---|---|---|---|\n");
    for (size_t queue = 0; queue < COUNT(queues); queue++) {
        if (!takes_part(bench, queue))
            continue;
        printf("| %s |", queues[queue]->name);
        for (size_t i = 0; i < SIZES; i++) {
            text_of(bench, queue, first_shape + i, text);
            printf(" %s |", text);
        }
        printf("\n");
    }
}

static void print_tables(const struct bench *bench)
{
    for (size_t first = 0; first < COUNT(shapes); first += SIZES) {
        unsigned threads = shapes[first].threads;
        printf("\n## %u to %u: nanoseconds per element\n\n", threads, threads);
        print_table(bench, first, speed_text);
        printf("\n## %u to %u: from put to get, single elements with pauses, "
               "p50 / p99 in microseconds\n\n",
               threads, threads);
        print_table(bench, first, latency_text);
    }
    printf("\nMedian [lowest..highest] of %u rounds, and how many times as "
           "fast as the plain queue.\nSpinning queues do not sleep: they spin "
           "%d times, then yield, and take a processor\nwhile they wait. They "
           "carry pointers; the elements are copied into and out of slots.\n"
           "ck_ring with many a side spins inside without yielding: it runs "
           "only where every\nthread has a processor. At its far ceiling the "
           "growable buffer's writer yields.\n",
           bench->options.rounds, QUEUE_SPINS);
}

static int verdict(const struct bench *bench)
{
    if (bench->wrong)
        return 1;
    if (!takes_part(bench, TARGET_QUEUE))
        return 0;
    double reached = ratio(bench, TARGET_QUEUE, TARGET_SHAPE);
    double lowest = bench->cells[0][TARGET_SHAPE].ns[0] /
                    bench->cells[TARGET_QUEUE][TARGET_SHAPE].ns[0];
    bool met = reached >= TARGET_RATIO;
    printf("\nTarget: %s, 1 to 1, 64 bytes, at least %.1fx: %.2fx, %s. "
           "(%.2fx by the lowest.)\n",
           queues[TARGET_QUEUE]->name, TARGET_RATIO, reached,
           met ? "met" : "missed", lowest);
    return met ? 0 : 1;
}

static void usage(void)
{
    fprintf(stderr,
            "usage: buffers [--rounds 1..%d] [--elements %d..%d] "
            "[--only TEXT]\n",
            ROUNDS_MAX, ELEMENTS_MIN, ELEMENTS_MAX);
    exit(2);
}

static unsigned long number(const char *text, unsigned long low,
                            unsigned long high)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < low || n > high)
        usage();
    return n;
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"rounds", required_argument, NULL, 'r'},
        {"elements", required_argument, NULL, 'e'},
        {"only", required_argument, NULL, 'o'},
        {0},
    };
    struct options o = {.rounds = ROUNDS_DEFAULT, .elements = ELEMENTS_DEFAULT};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'r')
            o.rounds = (unsigned)number(optarg, 1, ROUNDS_MAX);
        else if (c == 'e')
            o.elements = number(optarg, ELEMENTS_MIN, ELEMENTS_MAX);
        else if (c == 'o')
            o.only = optarg;
        else
            usage();
    }
    if (optind != argc)
        usage();
    return o;
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    struct bench *bench = calloc(1, sizeof *bench);
    assert(bench);
    bench->options = options;
    run_rounds(bench);
    sort_rounds(bench);
    print_tables(bench);
    int code = verdict(bench);
    free(bench);
    return code;
}
