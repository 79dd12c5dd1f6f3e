#include "buffers/buffer_layout.h"

#include <assert.h>

#define AGE_MARKS_DENSE (AGE_MARKS / 2)
#define AGE_PARTS       8u /* older marks may be an eighth of the age apart */

/* The mark before the oldest element stays, those before it go. */
static void forget_passed(struct buffer *b, uint64_t read_pos)
{
    size_t passed = 0;
    while (passed + 1 < b->ages_n && b->ages[passed + 1].pos <= read_pos)
        passed++;
    b->ages_n -= passed;
    memmove(b->ages, b->ages + passed, b->ages_n * sizeof *b->ages);
}

static void thin_out(struct buffer *b)
{
    for (size_t i = 0; i < AGE_MARKS / 2; i++)
        b->ages[i] = b->ages[i * 2];
    b->ages_n = AGE_MARKS / 2;
}

static bool is_dense(const struct buffer *b)
{
    const struct age_mark *last = &b->ages[b->ages_n - 1];
    return b->ages_n > AGE_MARKS_DENSE &&
           last->ms - last[-1].ms < (last->ms - b->ages[0].ms) / AGE_PARTS;
}

static void mark(struct buffer *b, uint64_t pos, uint64_t now_ms)
{
    size_t i = b->ages_n;
    if (i > 0 && (b->ages[i - 1].pos == pos || is_dense(b)))
        i--;
    else if (i == AGE_MARKS) {
        thin_out(b);
        i = b->ages_n;
    }
    b->ages[i] = (struct age_mark){.pos = pos, .ms = now_ms};
    b->ages_n = i + 1;
}

uint64_t buffer_sample_age(struct buffer *b, uint64_t now_ms)
{
    uint64_t read_pos = seen_pos(&b->read);
    uint64_t write_pos = seen_pos(&b->write);
    assert(b->ages_n == 0 || b->ages[b->ages_n - 1].ms <= now_ms);
    if (b->ages_n == 0)
        mark(b, read_pos, now_ms);
    forget_passed(b, read_pos);
    uint64_t since_ms = b->ages[0].ms;
    mark(b, write_pos, now_ms);
    return read_pos == write_pos ? 0 : now_ms - since_ms;
}
