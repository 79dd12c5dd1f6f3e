#include "buffers/buffer_layout.h"

#include <assert.h>
#include <sched.h>
#include <unistd.h>

/* A sleep and its wake-up cost more than what is waited for, mostly. So a wait
 * looks for some time at the other side, which pays when that one runs on
 * another processor, and then lets it run, which pays when it is on the same
 * one. Both are learnt: who waits for something rare goes to sleep at once, and
 * is woken before others that would only have been next in turn. */
#define SPINS_MAX         100u /* of about 40 ns */
#define SPINS_MIN         4u
#define LINGERS_MAX       16u /* of LINGER_SPINS each */
#define LINGER_SPINS      4u
#define LINGER_ELEMS      64u
#define YIELD_TRUST_MAX   8u
#define YIELD_AGAIN_WAITS 16u /* without trust it is tried this often */

void side_init(struct side *s)
{
    bool alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
    s->spins_max = alone ? 0 : SPINS_MAX;
    atomic_init(&s->spins, s->spins_max / 4);
    atomic_init(&s->trust, 1);
    spin_lock_init(&s->lock);
    wait_list_init(&s->awaited);
    wait_list_init(&s->turn);
}

static struct side *other_side(struct buffer *b, const struct side *s)
{
    return s == &b->read ? &b->write : &b->read;
}

static void note_attention(struct side *s)
{
    s->attention =
        s->awaited.first || s->turn.first || s->awaited_armed || s->turn_armed;
}

static bool call_one(struct wait_list *l, struct news *news)
{
    atomic_uint *word = wait_list_call(l);
    if (!word)
        return false;
    if (news->wakes_n < WAKES_MAX)
        news->wakes[news->wakes_n++] = word;
    else
        waiter_wake(word);
    return true;
}

static void call_some(struct wait_list *l, size_t n, struct news *news)
{
    while (n > 0 && call_one(l, news))
        n--;
}

void side_call_all(struct side *s, struct news *news)
{
    call_some(&s->awaited, SIZE_MAX, news);
    call_some(&s->turn, SIZE_MAX, news);
    note_attention(s);
}

static unsigned event_of(const struct buffer *b, const struct side *s)
{
    return s == &b->read ? BUFFER_READABLE : BUFFER_WRITABLE;
}

void side_claim(struct buffer *b, struct side *s, struct news *news)
{
    if (s->awaited_armed)
        news->events |= event_of(b, other_side(b, s));
    s->awaited_armed = false;
    note_attention(s);
}

void side_claim_turn(struct buffer *b, struct side *s, struct news *news)
{
    if (s->turn_armed)
        news->events |= event_of(b, s);
    s->turn_armed = false;
    note_attention(s);
}

void tell(struct buffer *b, const struct news *news)
{
    assert(news->wakes_n <= WAKES_MAX);
    for (size_t i = 0; i < news->wakes_n; i++)
        waiter_wake(news->wakes[i]);
    if (news->events != 0 && b->notify)
        b->notify(b->notify_arg, news->events);
}

/* Whoever waits for its turn is called one by one: each leaves through here. */
static void give_turn(struct buffer *b, struct side *s, struct news *news)
{
    call_one(&s->turn, news);
    side_claim_turn(b, s, news);
}

void leave_slow(struct buffer *b, struct side *s, size_t moved)
{
    struct news news;
    news.events = 0;
    news.wakes_n = 0;
    if (moved > 0) {
        call_some(&s->awaited, moved, &news);
        side_claim(b, s, &news);
    }
    if (!s->out)
        give_turn(b, s, &news);
    note_attention(s);
    spin_lock_drop(&s->lock);
    tell(b, &news);
}

/* One that was called and took nothing leaves it to the next. */
void pass_on(struct buffer *b, struct side *other)
{
    struct news news = {.events = 0};
    spin_lock_take(&other->lock);
    call_one(&other->awaited, &news);
    note_attention(other);
    spin_lock_drop(&other->lock);
    tell(b, &news);
}

void join_turn(struct buffer *b, struct side *own, struct attempt *a)
{
    a->for_turn = true;
    if (a->deadline_ns > PASSED)
        wait_list_join(&own->turn, &a->waiter);
    else if (a->deadline_ns == TRY && b->notify)
        own->turn_armed = true;
    note_attention(own);
}

static bool has_moved(const struct buffer *b, const struct side *other,
                      const struct attempt *a)
{
    return seen_pos(other) != a->other_pos ||
           atomic_load_explicit(&b->epoch, memory_order_relaxed) != a->epoch;
}

/* The notification is due at the other's next move; false: it just moved. */
static bool arm(struct buffer *b, struct side *other, struct attempt *a)
{
    spin_lock_take(&other->lock);
    bool moved = has_moved(b, other, a);
    if (!moved) {
        other->awaited_armed = true;
        other->attention = true;
    }
    spin_lock_drop(&other->lock);
    return !moved;
}

/* The other side is at work: as long as it goes on, some more elements are
 * worth the time, for at each look both sides lose a cache line. */
static void linger(const struct side *other, const struct attempt *a)
{
    uint64_t before = a->other_pos;
    uint64_t pos = seen_pos(other);
    for (unsigned n = 0;
         n < LINGERS_MAX && pos != before && pos - a->other_pos < LINGER_ELEMS;
         n++) {
        for (unsigned i = 0; i < LINGER_SPINS; i++)
            spin_pause();
        before = pos;
        pos = seen_pos(other);
    }
}

static bool spin(const struct buffer *b, struct side *own,
                 const struct side *other, const struct attempt *a)
{
    unsigned most = atomic_load_explicit(&own->spins, memory_order_relaxed);
    bool moved = has_moved(b, other, a);
    for (unsigned n = 0; n < most && !moved; n++) {
        spin_pause();
        moved = has_moved(b, other, a);
    }
    if (moved)
        linger(other, a);
    unsigned more = most + most / 4 + 1;
    unsigned less = most - most / 4;
    if (moved)
        most = more < own->spins_max ? more : own->spins_max;
    else
        most = less > SPINS_MIN ? less : most;
    atomic_store_explicit(&own->spins, most, memory_order_relaxed);
    return moved;
}

static bool yield(const struct buffer *b, struct side *own,
                  const struct side *other, const struct attempt *a)
{
    unsigned trust = atomic_load_explicit(&own->trust, memory_order_relaxed);
    if (trust == 0 && counter(&own->waits) % YIELD_AGAIN_WAITS != 0)
        return false;
    sched_yield();
    bool moved = has_moved(b, other, a);
    if (!moved)
        trust /= 2;
    else if (trust < YIELD_TRUST_MAX)
        trust++;
    atomic_store_explicit(&own->trust, trust, memory_order_relaxed);
    return moved;
}

static uint64_t clock_of(const struct buffer *b)
{
    return b->now_ns ? b->now_ns() : 0;
}

static void was_blocked(const struct buffer *b, struct side *own,
                        uint64_t began_ns)
{
    if (b->now_ns)
        atomic_fetch_add_explicit(&own->blocked_ns, b->now_ns() - began_ns,
                                  memory_order_relaxed);
}

/* The waiter is in the list, which is guarded by this lock. When its time is
 * up, one more try without waiting has the last word. */
static bool sleep_in(struct side *own, struct side *holder, struct wait_list *l,
                     struct attempt *a)
{
    bool called = waiter_sleep(&a->waiter, a->deadline_ns);
    if (!called) {
        spin_lock_take(&holder->lock);
        called = !wait_list_leave(l, &a->waiter);
        note_attention(holder);
        spin_lock_drop(&holder->lock);
        a->deadline_ns = PASSED;
    }
    atomic_fetch_add_explicit(&own->waits, 1, memory_order_relaxed);
    return called;
}

static void sleep_until_moved(const struct buffer *b, struct side *own,
                              struct side *other, struct attempt *a)
{
    spin_lock_take(&other->lock);
    bool moved = has_moved(b, other, a);
    if (!moved) {
        wait_list_join(&other->awaited, &a->waiter);
        other->attention = true;
    }
    spin_lock_drop(&other->lock);
    if (!moved && sleep_in(own, other, &other->awaited, a))
        a->called = true;
}

static void await_other(const struct buffer *b, struct side *own,
                        struct side *other, struct attempt *a)
{
    if (spin(b, own, other, a))
        return;
    uint64_t began_ns = clock_of(b);
    if (!yield(b, own, other, a))
        sleep_until_moved(b, own, other, a);
    was_blocked(b, own, began_ns);
}

static void await_turn(const struct buffer *b, struct side *own,
                       struct attempt *a)
{
    uint64_t began_ns = clock_of(b);
    sleep_in(own, own, &own->turn, a);
    was_blocked(b, own, began_ns);
}

bool retry(struct buffer *b, struct side *own, struct attempt *a)
{
    struct side *other = other_side(b, own);
    bool for_turn = a->for_turn;
    a->for_turn = false;
    if (a->deadline_ns > PASSED) {
        if (for_turn)
            await_turn(b, own, a);
        else
            await_other(b, own, other, a);
        return true;
    }
    if (for_turn) {
        if (a->called)
            pass_on(b, other);
        return false;
    }
    return a->deadline_ns == TRY && b->notify && !arm(b, other, a);
}
