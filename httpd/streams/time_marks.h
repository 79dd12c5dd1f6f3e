/* time_marks.h - when positions of a stream were published, roughly.
 *
 *      ms   1000-1040  1100      1230-1290    a mark: from pos on, up to the
 *      pos  0          512       4096         next one's, was published then
 *
 * Promise    exact to interval_ms, which begins at TIME_MARK_MS and doubles
 *            whenever the marks are full: what is kept for long is known less
 *            exactly. However seldom something is published, a mark holds
 *            nothing of another time.
 * Limits     TIME_MARKS_MAX marks.
 * Owns       its array, taken with the first mark.
 * Threads    the stream's lock is held. The time is an argument. */
#ifndef HTTPD_STREAMS_TIME_MARKS_H
#define HTTPD_STREAMS_TIME_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_MARK_MS   50u
#define TIME_MARKS_MAX 512u

struct time_mark {
    uint64_t ms;
    uint64_t last_ms;
    uint64_t pos;
};

struct time_marks {
    struct time_mark *at; /* oldest first */
    size_t n;
    size_t cap;
    uint64_t interval_ms;
    uint64_t last_ms; /* of the last append, also when it found no memory */
};

void time_marks_init(struct time_marks *t);
void time_marks_fini(struct time_marks *t);

/* The same of what lies before pos; to is fresh. False: no memory. */
bool time_marks_copy(struct time_marks *to, const struct time_marks *from,
                     uint64_t pos);

/* Something begins at pos now. Out of memory it is remembered less exactly. */
void time_marks_add(struct time_marks *t, uint64_t now_ms, uint64_t pos);

/* The first mark that holds something later than that moment: all before its
 * pos is older. 0 when that is the first one; tail when there is none. */
uint64_t time_marks_pos(const struct time_marks *t, uint64_t ms, uint64_t tail);

/* Forgets what lies before pos. */
void time_marks_drop(struct time_marks *t, uint64_t pos);

#endif
