#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/timer.h"
#include "httpd/loop/worker.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"
#include "parser/number.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LINE_BYTES_MAX 96u

static const struct lab_bound lines_bound = {"N", LAB_COUNT, 0, LAB_LINES_MAX};
static const struct lab_bound interval_bound = {"interval", LAB_TIME, 0,
                                                LAB_DURATION_MS_MAX};
static const char *const formats[] = {"text", "json"};

struct lines {
    struct exchange *x;
    struct timer timer;
    uint64_t made;  /* lines begun */
    uint64_t count; /* lines in all */
    uint64_t interval_ms;
    uint64_t due_ms; /* of the next line */
    bool json;
    size_t line_len; /* of the line under way */
    size_t line_pos; /* how much of it was pushed */
    char line[LINE_BYTES_MAX];
};

static void wake(void *arg)
{
    struct lines *s = arg;

    exchange_wake(s->x);
}

static uint64_t unix_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void next_line(struct lines *s)
{
    int n;

    assert(s->made < s->count);
    s->made++;
    if (s->json)
        n = snprintf(s->line, sizeof(s->line),
                     "{\"line\":%" PRIu64 ",\"of\":%" PRIu64
                     ",\"unix_ms\":%" PRIu64 "}\n",
                     s->made, s->count, unix_ms());
    else
        n = snprintf(s->line, sizeof(s->line), "line %" PRIu64 "\n", s->made);
    assert(n > 0 && (size_t)n < sizeof(s->line));
    s->line_len = (size_t)n;
    s->line_pos = 0;
}

static bool under_way(const struct lines *s)
{
    return s->line_pos < s->line_len;
}

static size_t take(struct lines *s, char *out, size_t cap)
{
    const size_t left = s->line_len - s->line_pos;
    const size_t n = left < cap ? left : cap;

    memcpy(out, s->line + s->line_pos, n);
    s->line_pos += n;
    return n;
}

/* One line when paced, else as many as there is room for. */
static enum flow push_lines(struct lines *s, struct exchange *x, bool paced)
{
    char piece[LAB_PIECE_BYTES];
    const size_t room = exchange_room(x);
    const size_t cap = room < sizeof(piece) ? room : sizeof(piece);
    size_t n = take(s, piece, cap);

    while (n < cap && s->made < s->count && !paced) {
        next_line(s);
        n += take(s, piece + n, cap - n);
    }
    if (n > 0 && exchange_push(x, (struct str){piece, n}) != FLOW_DONE)
        return FLOW_FAILED;
    return s->made == s->count && !under_way(s) ? FLOW_END : FLOW_DONE;
}

/* A line that is more than an interval late begins a new schedule: a reader
 * that was stuck gets no burst. */
static void schedule(struct lines *s, uint64_t now)
{
    if (now >= s->due_ms + s->interval_ms)
        s->due_ms = now;
    s->due_ms += s->interval_ms;
}

static enum flow pull_paced(struct lines *s, struct exchange *x)
{
    const uint64_t now = worker_now_ms(x->worker);

    if (!under_way(s) && now < s->due_ms) {
        timer_start(&s->timer, s->due_ms - now);
        return FLOW_AGAIN;
    }
    if (!under_way(s)) {
        schedule(s, now);
        next_line(s);
    }
    return push_lines(s, x, true);
}

static enum flow pull(void *self, struct exchange *x)
{
    struct lines *s = self;

    assert(s->x == x);
    if (s->interval_ms > 0 && s->count > 0)
        return pull_paced(s, x);
    return push_lines(s, x, false);
}

static void stop(void *self)
{
    struct lines *s = self;

    timer_fini(&s->timer);
    free(s);
}

static const struct source_ops lines_ops = {
    .name = "lines", .pull = pull, .stop = stop};

static void send_lines(struct exchange *x, uint64_t count, uint64_t interval_ms,
                       bool json)
{
    struct lines *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        lab_out_of_memory(x);
        return;
    }
    s->x = x;
    s->count = count;
    s->interval_ms = interval_ms;
    s->due_ms = worker_now_ms(x->worker);
    s->json = json;
    timer_init(&s->timer, x->worker, wake, s);
    lab_begin(x, 200, json ? "application/x-ndjson" : LAB_TYPE_TEXT);
    response_send_source(x, &lines_ops, s, RESPONSE_LENGTH_UNKNOWN);
}

void lab_lines(struct exchange *x, struct str part)
{
    uint64_t count = 0;
    uint64_t interval_ms = 0;
    size_t format = 0;

    if (!lab_part(x, &lines_bound, part, &count) ||
        !lab_param(x, &interval_bound, &interval_ms) ||
        !lab_param_word(x, "format", formats, 2, &format))
        return;
    if (count * interval_ms > LAB_DURATION_MS_MAX)
        response_error(x, 400,
                       "interval: the lines would take more than %" PRIu64
                       " hours; "
                       "ask for fewer or a shorter interval",
                       LAB_DURATION_MS_MAX / LAB_HOUR_MS);
    else
        send_lines(x, count, interval_ms, format == 1);
}
