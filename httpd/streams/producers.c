#include "httpd/streams/producers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCERS_FIRST 4u

/* FNV-1a. Whoever makes ids collide pays with PRODUCERS_MAX comparisons. */
static uint32_t hash_of(struct str id)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.at[i]) * 16777619u;
    return hash;
}

static struct producer *find(const struct producers *p, struct str id)
{
    uint32_t hash = hash_of(id);
    for (size_t i = 0; i < p->n; i++) {
        struct producer *known = &p->at[i];
        if (known->hash == hash &&
            str_equal((struct str){known->id, known->id_len}, id))
            return known;
    }
    return NULL;
}

/* The one that may yield, or NULL. */
static struct producer *find_idle(const struct producers *p, uint64_t now_ms)
{
    struct producer *oldest = &p->at[0];
    for (size_t i = 1; i < p->n; i++) {
        if (p->at[i].used_ms < oldest->used_ms)
            oldest = &p->at[i];
    }
    return now_ms >= oldest->used_ms + PRODUCER_IDLE_MS ? oldest : NULL;
}

static bool charge(struct producers *p, size_t bytes)
{
    if (!budget_take(p->budget, BUDGET_STREAM, bytes))
        return false;
    p->charged += bytes;
    return true;
}

static void discharge(struct producers *p, size_t bytes)
{
    assert(bytes <= p->charged);
    p->charged -= bytes;
    budget_give(p->budget, BUDGET_STREAM, bytes);
}

void producers_init(struct producers *p)
{
    *p = (struct producers){0};
}

void producers_fini(struct producers *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->at[i].id);
    free(p->at);
    free(p->spare);
    discharge(p, p->charged);
    *p = (struct producers){0};
}

static enum append_result check_unknown(const struct producer_claim *claim,
                                        struct append_outcome *ret)
{
    ret->epoch = claim->epoch;
    ret->seq = 0;
    ret->expected_seq = 0;
    return claim->seq == 0 ? APPEND_DONE : APPEND_SEQ_GAP;
}

static enum append_result check_known(const struct producer *known,
                                      const struct producer_claim *claim,
                                      struct append_outcome *ret)
{
    ret->epoch = known->epoch;
    ret->seq = known->seq;
    if (claim->epoch < known->epoch)
        return APPEND_FENCED;
    if (claim->epoch > known->epoch)
        return claim->seq == 0 ? APPEND_DONE : APPEND_BAD_EPOCH;
    if (claim->seq <= known->seq)
        return APPEND_DUPLICATE;
    ret->expected_seq = known->seq + 1;
    return claim->seq == known->seq + 1 ? APPEND_DONE : APPEND_SEQ_GAP;
}

enum append_result producers_check(const struct producers *p,
                                   const struct producer_claim *claim,
                                   struct append_outcome *ret)
{
    assert(claim->id.at);
    const struct producer *known = find(p, claim->id);
    enum append_result r =
        known ? check_known(known, claim, ret) : check_unknown(claim, ret);
    if (r == APPEND_DONE) {
        ret->epoch = claim->epoch;
        ret->seq = claim->seq;
    }
    return r;
}

static bool make_room(struct producers *p)
{
    if (p->n < p->cap)
        return true;
    size_t cap = p->cap > 0 ? 2 * p->cap : PRODUCERS_FIRST;
    cap = cap < PRODUCERS_MAX ? cap : PRODUCERS_MAX;
    size_t more = (cap - p->cap) * sizeof *p->at;
    if (!charge(p, more))
        return false;
    struct producer *at = realloc(p->at, cap * sizeof *at);
    if (!at) {
        discharge(p, more);
        return false;
    }
    p->at = at;
    p->cap = cap;
    return true;
}

/* An id that was prepared for nothing is let go of first. */
static bool make_spare(struct producers *p, struct str id)
{
    free(p->spare);
    p->spare = NULL;
    discharge(p, p->spare_bytes);
    p->spare_bytes = 0;
    if (!charge(p, id.len + 1))
        return false;
    p->spare = malloc(id.len + 1);
    if (!p->spare) {
        discharge(p, id.len + 1);
        return false;
    }
    p->spare_bytes = id.len + 1;
    memcpy(p->spare, id.at, id.len);
    p->spare[id.len] = '\0';
    return true;
}

enum append_result producers_prepare(struct producers *p,
                                     const struct producer_claim *claim,
                                     struct budget *budget, uint64_t now_ms)
{
    assert(!p->closed);
    assert(p->charged == 0 || p->budget == budget);
    p->budget = budget;
    if (find(p, claim->id))
        return APPEND_DONE;
    if (claim->id.len > PRODUCER_ID_BYTES_MAX ||
        (p->n == PRODUCERS_MAX && !find_idle(p, now_ms)))
        return APPEND_PRODUCERS;
    bool room = p->n == PRODUCERS_MAX || make_room(p);
    return room && make_spare(p, claim->id) ? APPEND_DONE : APPEND_NO_MEMORY;
}

/* Takes the spare id in. */
static struct producer *admit(struct producers *p, struct str id,
                              uint64_t now_ms)
{
    assert(p->spare);
    struct producer *new = &p->at[p->n];
    if (p->n == PRODUCERS_MAX) {
        new = find_idle(p, now_ms);
        assert(new);
        free(new->id);
        discharge(p, new->id_len + 1u);
    } else {
        p->n++;
    }
    assert(p->n <= p->cap);
    new->id = p->spare;
    new->id_len = (uint32_t)id.len;
    new->hash = hash_of(id);
    p->spare = NULL;
    p->spare_bytes = 0;
    return new;
}

void producers_accept(struct producers *p, const struct producer_claim *claim,
                      bool closing, uint64_t now_ms)
{
    assert(!p->closed);
    struct producer *known = find(p, claim->id);
    if (!known)
        known = admit(p, claim->id, now_ms);
    known->epoch = claim->epoch;
    known->seq = claim->seq;
    known->used_ms = now_ms;
    p->closed = closing;
    p->closer = (size_t)(known - p->at);
}

bool producers_closed_by(const struct producers *p,
                         const struct producer_claim *claim)
{
    if (!p->closed)
        return false;
    const struct producer *closer = &p->at[p->closer];
    return str_equal((struct str){closer->id, closer->id_len}, claim->id) &&
           closer->epoch == claim->epoch && closer->seq == claim->seq;
}
