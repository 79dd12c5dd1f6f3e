#include "httpd/streams/time_marks.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MARKS_MIN 8u

void time_marks_init(struct time_marks *t)
{
    *t = (struct time_marks){.interval_ms = TIME_MARK_MS};
}

void time_marks_fini(struct time_marks *t)
{
    free(t->at);
    time_marks_init(t);
}

bool time_marks_copy(struct time_marks *to, const struct time_marks *from,
                     uint64_t pos)
{
    size_t n = 0;
    while (n < from->n && from->at[n].pos < pos)
        n++;
    to->interval_ms = from->interval_ms;
    to->last_ms = from->last_ms;
    if (n == 0)
        return true;
    to->at = malloc(from->cap * sizeof *to->at);
    if (!to->at)
        return false;
    memcpy(to->at, from->at, n * sizeof *to->at);
    to->n = n;
    to->cap = from->cap;
    to->last_ms = to->at[n - 1].last_ms;
    return true;
}

static void thin_out(struct time_marks *t)
{
    size_t kept = 0;
    assert(t->at);
    for (size_t i = 0; i < t->n; i += 2) {
        size_t last = i + 1 < t->n ? i + 1 : i;
        t->at[kept] = t->at[i];
        t->at[kept++].last_ms = t->at[last].last_ms;
    }
    t->n = kept;
    t->interval_ms *= 2;
}

static bool make_room(struct time_marks *t)
{
    if (t->n < t->cap)
        return true;
    if (t->cap == TIME_MARKS_MAX) {
        thin_out(t);
        return true;
    }
    size_t cap = t->cap ? t->cap * 2 : MARKS_MIN;
    struct time_mark *at = realloc(t->at, cap * sizeof *at);
    if (!at)
        return false;
    t->at = at;
    t->cap = cap;
    return true;
}

void time_marks_add(struct time_marks *t, uint64_t now_ms, uint64_t pos)
{
    struct time_mark *last = t->n > 0 ? &t->at[t->n - 1] : NULL;
    bool due = !last || now_ms >= last->ms + t->interval_ms;
    t->last_ms = now_ms;
    if (due && make_room(t)) {
        assert(t->at);
        t->at[t->n++] = (struct time_mark){now_ms, now_ms, pos};
    } else if (last) {
        last->last_ms = now_ms;
    }
}

uint64_t time_marks_pos(const struct time_marks *t, uint64_t ms, uint64_t tail)
{
    size_t n = 0; /* marks whose all is older */
    if (t->last_ms <= ms)
        return tail;
    while (n < t->n && t->at[n].last_ms <= ms)
        n++;
    return n > 0 && n < t->n ? t->at[n].pos : 0;
}

void time_marks_drop(struct time_marks *t, uint64_t pos)
{
    size_t gone = 0;
    while (gone + 1 < t->n && t->at[gone + 1].pos <= pos)
        gone++;
    if (gone == 0)
        return;
    t->n -= gone;
    memmove(t->at, t->at + gone, t->n * sizeof *t->at);
}
