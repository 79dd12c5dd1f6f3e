#include "tests/model/reader_trial.h"

#include "httpd/streams/stream_append.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_BYTES     (8u << 20)
#define ALL_MESSAGES  20000u
#define MESSAGE_BYTES (40u << 10)

static void complain(struct trial *t, const char *what, const struct fan *f)
{
    if (t->complaint[0] == '\0')
        snprintf(t->complaint, sizeof t->complaint,
                 "seed %llu, trial %u, form %d, kind %d, chunked %d, skips %d, "
                 "fate %d \"%s\": %s",
                 (unsigned long long)dice_seed(), t->number,
                 f ? (int)f->want.style.form : -1, (int)t->kind,
                 f ? f->want.style.chunked : -1,
                 f ? (int)f->want.slow_reader : -1, f ? (int)f->p->fate : -1,
                 f ? f->p->text : "", what);
}

/* What is done. */

static void fill(struct trial *t, char *at, size_t n)
{
    static const char digits[] = "123456789";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    bool json = t->kind == STREAM_JSON;
    const char *from = json ? digits : letters;
    size_t from_n = json ? 9 : 26;
    size_t first = (size_t)dice_roll(&t->dice);
    for (size_t i = 0; i < n; i++)
        at[i] = from[(first + i * i) % from_n];
}

static size_t message_bytes(struct trial *t)
{
    switch (dice_below(&t->dice, 24)) {
    case 0:
        return dice_between(&t->dice, 1, MESSAGE_BYTES);
    case 1:
    case 2:
        return dice_between(&t->dice, 1, 9000);
    default:
        return dice_between(&t->dice, 1, 300);
    }
}

static void do_publish(struct trial *t)
{
    size_t len = message_bytes(t);
    size_t room = len + (t->kind == STREAM_JSON);
    if (t->over || t->all.len + room > ALL_BYTES || t->all.n == ALL_MESSAGES)
        return;
    char *at = t->all.at + t->all.len;
    fill(t, at, len);
    if (t->kind == STREAM_JSON)
        at[len] = '\n';
    enum append_result r = audience_publish(&t->a, (struct str){at, len});
    if (r == APPEND_DONE) {
        t->all.len += room;
        t->all.ends[t->all.n++] = t->all.len;
    } else if (r != APPEND_FULL && r != APPEND_TOO_LARGE &&
               r != APPEND_REFUSED && !t->short_of_memory) {
        complain(t, "an append that is refused", NULL);
    }
}

static enum render_form any_form(struct trial *t)
{
    enum render_form form = (enum render_form)dice_below(&t->dice, 5);
    bool sse = form == RENDER_SSE || form == RENDER_SSE_DS;
    return sse && t->kind == STREAM_BINARY ? RENDER_RAW : form;
}

/* Where a frame of a view ends, perhaps within a message; else the tail. */
static uint64_t frame_end(struct trial *t, const struct stream_state *now)
{
    const struct view *v = audience_view(&t->a);
    if (!v || v->frames_n == 0)
        return now->tail;
    size_t i = v->frames_head + dice_below(&t->dice, v->frames_n);
    uint64_t pos = v->frames[i % v->frames_cap].pos;
    return pos < now->first ? now->first : pos;
}

static uint64_t any_start(struct trial *t)
{
    struct stream_state now;
    stream_look(t->a.s, &now);
    size_t held = (size_t)(now.tail - now.first);
    uint64_t pos = now.first + dice_below(&t->dice, held + 1);
    switch (dice_below(&t->dice, 4)) {
    case 0:
        return now.first;
    case 1:
        return now.tail;
    case 2:
        if (t->kind == STREAM_JSON)
            return now.tail;
        return dice_one_in(&t->dice, 2) ? pos : frame_end(t, &now);
    default:
        return stream_align(t->a.s, pos);
    }
}

static size_t any_room(struct trial *t)
{
    switch (dice_below(&t->dice, 4)) {
    case 0:
        return SIZE_MAX;
    case 1:
        return dice_below(&t->dice, 100);
    default:
        return dice_below(&t->dice, 20000);
    }
}

static void do_come(struct trial *t)
{
    if (t->fans_n == t->fans_max)
        return;
    struct fan *f = &t->fans[t->fans_n++];
    f->want = audience_want(&t->a, any_form(t), any_start(t));
    if (f->want.style.chunked && dice_one_in(&t->dice, 3))
        f->want.style.chunked = false;
    if (dice_one_in(&t->dice, 2))
        f->want.slow_reader = SLOW_SKIP;
    if (dice_one_in(&t->dice, 4))
        f->want.heartbeat_ms = 500;
    if (dice_one_in(&t->dice, 6))
        f->want.cursor = 12345;
    if (dice_one_in(&t->dice, 6))
        f->want.end_after_ms = dice_between(&t->dice, 1, 5000);
    if (t->skips_now && dice_one_in(&t->dice, 3))
        f->want.lag_hard = dice_between(&t->dice, 1, 20000);
    if (t->skips_now && dice_one_in(&t->dice, 3)) {
        f->want.lag_soft = dice_between(&t->dice, 1, 20000);
        f->want.lag_soft_ms = 600;
    }
    f->p = peer_new(&t->a, &f->want, any_room(t));
}

struct fan *trial_any_fan(struct trial *t)
{
    return t->fans_n > 0 ? &t->fans[dice_below(&t->dice, t->fans_n)] : NULL;
}

static void do_drain(struct trial *t)
{
    struct fan *f = trial_any_fan(t);
    if (f)
        peer_drain(f->p, any_room(t));
}

static void do_stall(struct trial *t)
{
    struct fan *f = trial_any_fan(t);
    if (f && f->p->takes == SIZE_MAX)
        f->p->takes = dice_below(&t->dice, 2000);
}

static void do_say(struct trial *t)
{
    struct fan *f = trial_any_fan(t);
    bool ws = f && (f->want.style.form == RENDER_WS ||
                    f->want.style.form == RENDER_WS_DS);
    if (ws && f->p->follows && !f->p->closing)
        (void)reader_say(&f->p->reader, STR("\x89\x00"));
}

static void do_leave(struct trial *t)
{
    struct fan *f = trial_any_fan(t);
    if (!f || !dice_one_in(&t->dice, 4))
        return;
    if (f->p->follows && dice_one_in(&t->dice, 2)) {
        peer_break(f->p);
        return;
    }
    peer_free(f->p);
    *f = t->fans[--t->fans_n];
}

static void do_squeeze(struct trial *t)
{
    if (!t->short_of_memory)
        return;
    uint64_t more = dice_below(&t->dice, 100000) + 1;
    bool enough = dice_one_in(&t->dice, 2);
    budget_set_limit(&t->a.budget, enough ? 1u << 30 : t->a.budget.used + more);
}

/* What must be so whenever nothing is ready. */

static bool has_all(const struct fan *f, uint64_t tail)
{
    const struct reader *r = &f->p->reader;
    if (!write_queue_empty(&f->p->out) || r->remnant)
        return false;
    if (r->place == READER_TAIL)
        return r->view->slots[r->slot].pos == r->view->end &&
               r->view->pos == tail;
    return r->place == READER_BEHIND && r->pos == tail;
}

static void look_at_rest(struct trial *t)
{
    struct stream_state now;
    stream_look(t->a.s, &now);
    for (size_t i = 0; i < t->fans_n; i++) {
        const struct fan *f = &t->fans[i];
        const struct peer *p = f->p;
        if (p->follows && t->policy != POLICY_DROP_OLDEST &&
            reader_floor(&p->reader) < now.first)
            complain(t, "it was lapped", f);
        if (!p->outlet.writable || !p->follows || p->closing)
            continue;
        if (t->over)
            complain(t, "it follows a stream that is over", f);
        if (!t->short_of_memory && !has_all(f, now.tail))
            complain(t, "it is at rest, and has not all", f);
    }
}

static void do_something(struct trial *t)
{
    switch (dice_below(&t->dice, 16)) {
    case 0:
        do_come(t);
        break;
    case 1:
        do_leave(t);
        break;
    case 2:
    case 3:
    case 4:
        do_drain(t);
        break;
    case 5:
        do_stall(t);
        break;
    case 6:
        do_say(t);
        break;
    case 7:
        audience_wait(&t->a, dice_between(&t->dice, 1, 600));
        look_at_rest(t);
        break;
    case 8:
        do_squeeze(t);
        break;
    case 9:
    case 10:
        audience_run(&t->a);
        look_at_rest(t);
        break;
    case 11:
        (void)audience_step(&t->a);
        break;
    default:
        do_publish(t);
    }
}

/* The end. */

static void do_end(struct trial *t)
{
    t->over = true;
    t->deleted = dice_one_in(&t->dice, 3);
    if (t->deleted)
        stream_end(t->a.s, false);
    else
        audience_close(&t->a);
}

static void settle(struct trial *t)
{
    budget_set_limit(&t->a.budget, UINT64_C(1) << 30);
    if (dice_one_in(&t->dice, 2))
        audience_run(&t->a);
    do_end(t);
    if (dice_one_in(&t->dice, 2))
        audience_run(&t->a);
    t->a.worker.draining = dice_one_in(&t->dice, 4);
    if (dice_one_in(&t->dice, 2))
        audience_wait(&t->a, 250);
    for (size_t i = 0; i < t->fans_n; i++)
        if (!t->fans[i].p->broken)
            peer_drain(t->fans[i].p, SIZE_MAX);
    audience_run(&t->a);
    audience_wait(&t->a, 250);
    look_at_rest(t);
}

/* "…: bytes A to B were dropped…" */
static bool told_by_log(const struct peer *p, uint64_t *ret_from)
{
    const char *at = strstr(p->text, ": bytes ");
    if (!at)
        return false;
    *ret_from = strtoull(at + strlen(": bytes "), NULL, 10);
    return true;
}

/* By its time, or because the server goes. */
static bool sent_away(const struct trial *t, const struct fan *f)
{
    return f->want.end_after_ms > 0 || t->a.worker.draining;
}

static void judge_end(struct trial *t, const struct fan *f,
                      const struct followed *got)
{
    bool raw = f->want.style.form == RENDER_RAW;
    bool lapped = got->ended_by_gap && f->want.slow_reader != SLOW_SKIP;
    if (f->want.style.chunked && !got->whole)
        complain(t, "it ended without the last chunk", f);
    if (raw && got->pos != t->all.len)
        complain(t, "it looks whole, and is not", f);
    if (t->deleted || lapped || sent_away(t, f))
        return;
    if (got->pos != t->all.len)
        complain(t, "it ended before all was there", f);
    if (got->within || (!raw && !got->told_closed))
        complain(t, "it ended, and nobody said so", f);
}

static void judge_cut(struct trial *t, const struct fan *f,
                      const struct followed *got)
{
    uint64_t from;
    bool raw = f->want.style.form == RENDER_RAW;
    if (got->whole)
        complain(t, "it was cut off, and looks whole", f);
    if (t->short_of_memory || (raw && sent_away(t, f)))
        return;
    if (!raw || !told_by_log(f->p, &from) || from != got->pos)
        complain(t, "it was cut off for no reason", f);
    if (t->policy != POLICY_DROP_OLDEST && !t->deleted)
        complain(t, "it was cut off, and nothing was dropped", f);
}

static void judge_drop(struct trial *t, const struct fan *f,
                       const struct followed *got)
{
    uint64_t from = 0;
    bool lag = f->want.lag_hard > 0 || f->want.lag_soft > 0;
    bool slow = lag && strstr(f->p->text, "too slow");
    bool lapped = told_by_log(f->p, &from) && from >= got->pos;
    bool drops = t->policy == POLICY_DROP_OLDEST || t->deleted;
    if (got->whole && f->want.style.form != RENDER_WS)
        complain(t, "it was reset, and looks whole", f);
    if (!slow && !(lapped && drops) && !t->short_of_memory &&
        !(sent_away(t, f) && reader_ends_by_close(&f->p->reader)))
        complain(t, "it was reset for no reason", f);
}

static void judge_gaps(struct trial *t, const struct fan *f,
                       const struct followed *got)
{
    struct stream_state now;
    stream_look(t->a.s, &now);
    bool lag = f->want.lag_hard > 0 || f->want.lag_soft > 0;
    bool skips = f->want.slow_reader == SLOW_SKIP;
    if (got->gaps_n > 0 && !(skips && lag) && got->gap_from >= now.first)
        complain(t, "a gap where nothing was dropped", f);
    if (got->gaps_n > 1 && !skips)
        complain(t, "it went on behind a gap", f);
}

static void judge(struct trial *t, const struct fan *f)
{
    struct followed got;
    const struct peer *p = f->p;
    bool cut = p->fate != PEER_ENDED || p->broken;
    follow_log(&t->all, &f->want.style, f->want.pos, bytes_view(&p->got), cut,
               &got);
    if (got.complaint)
        complain(t, got.complaint, f);
    judge_gaps(t, f, &got);
    if (p->broken)
        return;
    switch (p->fate) {
    case PEER_ENDED:
        judge_end(t, f, &got);
        break;
    case PEER_CUT:
        judge_cut(t, f, &got);
        break;
    case PEER_DROPPED:
        judge_drop(t, f, &got);
        break;
    case PEER_FOLLOWS:
        complain(t, "it follows for ever", f);
        break;
    case PEER_LEFT:
        complain(t, "it left by itself", f);
        break;
    }
}

static void begin(struct trial *t)
{
    static const char *const types[] = {"application/octet-stream",
                                        "text/plain", "application/json"};
    static const size_t capacities[] = {2000, 60000, 4u << 20};
    t->kind = (enum stream_kind)dice_below(&t->dice, 3);
    t->policy = (enum stream_policy)dice_below(&t->dice, 4);
    t->skips_now = dice_one_in(&t->dice, 3);
    t->short_of_memory = dice_one_in(&t->dice, 5);
    t->fans_n = 0;
    t->all.len = 0;
    t->all.n = 0;
    t->over = false;
    t->deleted = false;
    audience_init(&t->a, dice_one_in(&t->dice, 2) ? 65536 : 262144);
    audience_stream(&t->a, t->policy, types[t->kind],
                    capacities[dice_below(&t->dice, 3)]);
}

void trial_run(struct trial *t, unsigned acts)
{
    begin(t);
    while (t->crowded && t->fans_n < t->fans_max)
        do_come(t);
    unsigned harm_at = (unsigned)dice_between(&t->dice, acts / 4, acts / 2);
    for (unsigned i = 0; i < acts && t->complaint[0] == '\0'; i++) {
        do_something(t);
        if (t->harm && i >= harm_at)
            t->harm(t);
    }
    if (t->complaint[0] == '\0')
        settle(t);
    for (size_t i = 0; i < t->fans_n && t->complaint[0] == '\0'; i++)
        judge(t, &t->fans[i]);
    audience_fini(&t->a);
}

struct trial *trial_new(sabotage *harm)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->all.at = malloc(ALL_BYTES);
    t->all.ends = malloc(ALL_MESSAGES * sizeof *t->all.ends);
    assert_non_null(t->all.at);
    assert_non_null(t->all.ends);
    t->dice.state = dice_seed();
    t->fans_max = TRIAL_FANS_MAX;
    t->harm = harm;
    return t;
}

void trial_free(struct trial *t)
{
    free(t->all.at);
    free(t->all.ends);
    free(t);
}
