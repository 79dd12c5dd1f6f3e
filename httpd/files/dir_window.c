/* Slots and heap share one numbering: heap[] is a permutation of the slots, of
 * which heap[0..n) are held and the rest are free. While a pass runs, heap[0]
 * is the largest. The names lie behind one another as records; a record whose
 * entry left is dead until the live ones are moved together. */
#include "httpd/files/dir_window.h"

#include <assert.h>
#include <stdlib.h>

#define SLOT_NONE UINT16_MAX

struct slot {
    int64_t value;
    uint32_t record; /* offset in names */
};

struct record {
    uint16_t slot; /* SLOT_NONE: dead */
    uint16_t len;  /* bytes of name that follow */
};

/* A place in the order that outlives the entry it was taken from. */
struct border {
    bool set;
    uint16_t len;
    int64_t value;
    char name[DIR_NAME_BYTES_MAX];
};

struct dir_window {
    struct dir_order order;
    size_t entries_max;
    size_t n;
    bool sorted; /* heap[0..n) ascends; no more offers */
    size_t taken;
    size_t names_cap;
    size_t names_max;  /* live bytes; below cap, so that moving pays off */
    size_t names_len;  /* up to here records stand, live and dead */
    size_t names_live; /* bytes of live records */
    struct border mark;
    struct border limit;
    uint16_t *heap;
    char *names;
    struct slot slots[];
};

size_t dir_window_bytes(size_t entries_max, size_t names_bytes)
{
    return sizeof(struct dir_window) +
           entries_max * (sizeof(struct slot) + sizeof(uint16_t)) + names_bytes;
}

struct dir_window *dir_window_new(struct dir_order order, size_t entries_max,
                                  size_t names_bytes)
{
    assert(entries_max > 0 && entries_max <= DIR_WINDOW_ENTRIES_MAX);
    assert(names_bytes >= DIR_WINDOW_NAMES_BYTES_MIN);
    assert(names_bytes <= DIR_WINDOW_NAMES_BYTES_MAX);
    struct dir_window *w = malloc(dir_window_bytes(entries_max, names_bytes));

    if (!w)
        return NULL;
    *w = (struct dir_window){
        .order = order,
        .entries_max = entries_max,
        .names_cap = names_bytes,
        .names_max = names_bytes / 4 * 3,
    };
    w->heap = (uint16_t *)(void *)(w->slots + entries_max);
    w->names = (char *)(w->heap + entries_max);
    for (size_t i = 0; i < entries_max; i++)
        w->heap[i] = (uint16_t)i;
    return w;
}

void dir_window_free(struct dir_window *w)
{
    free(w);
}

static int compare_names(struct str a, struct str b)
{
    int by_bytes = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return by_bytes ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

int dir_order_compare(struct dir_order order, struct dir_key a,
                      struct dir_key b)
{
    int by_name = compare_names(a.name, b.name);
    int by_value = (a.value > b.value) - (a.value < b.value);

    if (order.sort == DIR_BY_NAME)
        return order.descending ? -by_name : by_name;
    if (by_value == 0)
        return by_name;
    return order.descending ? -by_value : by_value;
}

static struct record record_at(const struct dir_window *w, size_t at)
{
    struct record r;

    memcpy(&r, w->names + at, sizeof(r));
    return r;
}

static struct dir_key key_of(const struct dir_window *w, uint16_t slot)
{
    size_t at = w->slots[slot].record;

    return (struct dir_key){
        w->slots[slot].value,
        {w->names + at + sizeof(struct record), record_at(w, at).len},
    };
}

static void border_set(struct border *b, struct dir_key key)
{
    b->set = true;
    b->value = key.value;
    b->len = (uint16_t)key.name.len;
    memcpy(b->name, key.name.at, key.name.len);
}

/* Below 0 when key comes before the border. */
static int against(const struct dir_window *w, struct dir_key key,
                   const struct border *b)
{
    struct dir_key at = {b->value, {b->name, b->len}};

    return dir_order_compare(w->order, key, at);
}

static bool before_slot(const struct dir_window *w, uint16_t a, uint16_t b)
{
    return dir_order_compare(w->order, key_of(w, a), key_of(w, b)) < 0;
}

static void swap(uint16_t *a, uint16_t *b)
{
    uint16_t c = *a;

    *a = *b;
    *b = c;
}

static void sift_up(struct dir_window *w, size_t i)
{
    while (i > 0 && before_slot(w, w->heap[(i - 1) / 2], w->heap[i])) {
        swap(&w->heap[(i - 1) / 2], &w->heap[i]);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct dir_window *w, size_t n)
{
    size_t i = 0;

    while (2 * i + 1 < n) {
        size_t child = 2 * i + 1;
        if (child + 1 < n && before_slot(w, w->heap[child], w->heap[child + 1]))
            child++;
        if (!before_slot(w, w->heap[i], w->heap[child]))
            return;
        swap(&w->heap[i], &w->heap[child]);
        i = child;
    }
}

/* Moves the live records together. */
static void compact(struct dir_window *w)
{
    size_t to = 0;
    size_t bytes;

    for (size_t from = 0; from < w->names_len; from += bytes) {
        struct record r = record_at(w, from);
        bytes = sizeof(r) + r.len;
        if (r.slot == SLOT_NONE)
            continue;
        memmove(w->names + to, w->names + from, bytes);
        w->slots[r.slot].record = (uint32_t)to;
        to += bytes;
    }
    assert(to == w->names_live);
    w->names_len = to;
}

/* The largest entry leaves; it is for a later pass. */
static void evict(struct dir_window *w)
{
    assert(w->n > 0);
    uint16_t slot = w->heap[0];
    size_t at = w->slots[slot].record;
    struct record r = record_at(w, at);

    border_set(&w->limit, key_of(w, slot));
    w->names_live -= sizeof(r) + r.len;
    r.slot = SLOT_NONE;
    memcpy(w->names + at, &r, sizeof(r));
    w->n--;
    swap(&w->heap[0], &w->heap[w->n]);
    sift_down(w, w->n);
}

static void add(struct dir_window *w, struct dir_key key)
{
    uint16_t slot = w->heap[w->n];
    struct record r = {slot, (uint16_t)key.name.len};
    size_t bytes = sizeof(r) + key.name.len;

    if (w->names_len + bytes > w->names_cap)
        compact(w);
    assert(w->names_len + bytes <= w->names_cap);
    w->slots[slot] = (struct slot){key.value, (uint32_t)w->names_len};
    memcpy(w->names + w->names_len, &r, sizeof(r));
    memcpy(w->names + w->names_len + sizeof(r), key.name.at, key.name.len);
    w->names_len += bytes;
    w->names_live += bytes;
    sift_up(w, w->n++);
}

static bool has_room(const struct dir_window *w, size_t name_len)
{
    size_t bytes = sizeof(struct record) + name_len;

    return w->n < w->entries_max && w->names_live + bytes <= w->names_max;
}

void dir_window_begin(struct dir_window *w)
{
    w->n = 0;
    w->sorted = false;
    w->taken = 0;
    w->names_len = 0;
    w->names_live = 0;
    w->limit.set = false;
}

void dir_window_offer(struct dir_window *w, struct dir_key key)
{
    assert(!w->sorted);
    assert(key.name.len > 0 && key.name.len <= DIR_NAME_BYTES_MAX);
    if (w->mark.set && against(w, key, &w->mark) <= 0)
        return;
    /* What once had to leave keeps out all that is larger: else a hole
     * would be passed by. */
    if (w->limit.set && against(w, key, &w->limit) >= 0)
        return;
    while (!has_room(w, key.name.len)) {
        if (dir_order_compare(w->order, key, key_of(w, w->heap[0])) >= 0) {
            border_set(&w->limit, key);
            return;
        }
        evict(w);
    }
    add(w, key);
}

/* Heap sort: the largest goes to the end, then the next. */
static void sort(struct dir_window *w)
{
    for (size_t left = w->n; left > 1; left--) {
        swap(&w->heap[0], &w->heap[left - 1]);
        sift_down(w, left - 1);
    }
    w->sorted = true;
}

bool dir_window_next(struct dir_window *w, struct dir_key *ret_key)
{
    if (!w->sorted)
        sort(w);
    while (w->taken < w->n) {
        struct dir_key key = key_of(w, w->heap[w->taken++]);
        if (w->mark.set && against(w, key, &w->mark) <= 0)
            continue; /* the folder showed it twice */
        border_set(&w->mark, key);
        *ret_key = key;
        return true;
    }
    return false;
}

bool dir_window_left_some(const struct dir_window *w)
{
    return w->limit.set;
}
