#include "parser/ranges.h"

#include "parser/ascii.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* A range as it was asked for; the digits may say more than 64 bits hold. */
struct asked {
    struct str first; /* empty: a suffix */
    struct str last;  /* empty: to the end */
};

/* Joined ranges while the field is read; no two overlap or touch. */
struct joined {
    size_t asked_n;
    size_t n;
    struct byte_range at[RANGES_ASKED_MAX];
};

/* Takes the digits off the front, without leading zeros but for a last one. */
static struct str take_digits(struct str *rest)
{
    size_t n = 0;
    while (n < rest->len && ascii_is_digit(rest->at[n]))
        n++;
    struct str digits = {rest->at, n};
    *rest = str_skip(*rest, n);
    while (digits.len > 1 && digits.at[0] == '0')
        digits = str_skip(digits, 1);
    return digits;
}

static bool digits_less(struct str a, struct str b)
{
    if (a.len != b.len)
        return a.len < b.len;
    return memcmp(a.at, b.at, a.len) < 0;
}

/* A number beyond 64 bits is beyond every length, as UINT64_MAX is. */
static uint64_t digits_value(struct str digits)
{
    uint64_t v = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(digits.at[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return UINT64_MAX;
        v = v * 10 + digit;
    }
    return v;
}

/* "0-499", "500-" or "-500"; false when it is none of them. */
static bool take_asked(struct str *rest, struct asked *ret)
{
    ret->first = take_digits(rest);
    if (!ascii_take(rest, '-'))
        return false;
    ret->last = take_digits(rest);
    if (ret->first.len == 0)
        return ret->last.len > 0;
    return ret->last.len == 0 || !digits_less(ret->last, ret->first);
}

static bool resolve_suffix(uint64_t wanted, uint64_t length,
                           struct byte_range *ret)
{
    ret->len = wanted < length ? wanted : length;
    ret->pos = length - ret->len;
    return wanted > 0;
}

/* False when the range is not satisfiable. Only a suffix of nothing is, and
 * has no bytes. */
static bool resolve(const struct asked *a, uint64_t length,
                    struct byte_range *ret)
{
    if (a->first.len == 0)
        return resolve_suffix(digits_value(a->last), length, ret);
    uint64_t first = digits_value(a->first);
    if (first >= length)
        return false;
    uint64_t last = a->last.len > 0 ? digits_value(a->last) : length - 1;
    if (last >= length)
        last = length - 1;
    *ret = (struct byte_range){first, last - first + 1};
    return true;
}

/* Ends cannot overflow: both ranges lie inside one length. */
static bool meet(struct byte_range a, struct byte_range b)
{
    return a.pos <= b.pos + b.len && b.pos <= a.pos + a.len;
}

static struct byte_range join(struct byte_range a, struct byte_range b)
{
    uint64_t a_end = a.pos + a.len;
    uint64_t b_end = b.pos + b.len;
    uint64_t pos = a.pos < b.pos ? a.pos : b.pos;
    return (struct byte_range){pos, (a_end > b_end ? a_end : b_end) - pos};
}

/* Everything that r meets becomes one range, where the first of it stood. One
 * pass will do: what met the union met r, for the others are apart. */
static void add(struct joined *j, struct byte_range r)
{
    size_t place = j->n;
    size_t kept = 0;
    for (size_t i = 0; i < j->n; i++) {
        if (!meet(j->at[i], r)) {
            j->at[kept++] = j->at[i];
            continue;
        }
        r = join(j->at[i], r);
        if (place == j->n)
            place = kept++;
    }
    if (place == j->n)
        place = kept++;
    assert(kept <= RANGES_ASKED_MAX);
    j->at[place] = r;
    j->n = kept;
}

/* Reads the set behind "bytes="; false when it breaks the grammar or the
 * limit. *ret_empty tells of a satisfiable range without bytes. */
static bool read_set(struct str rest, uint64_t length, struct joined *j,
                     bool *ret_empty)
{
    do {
        struct asked a;
        struct byte_range r;
        rest = ascii_skip_ows(rest);
        if (rest.len == 0 || ascii_at(rest, ','))
            continue;
        if (j->asked_n == RANGES_ASKED_MAX || !take_asked(&rest, &a))
            return false;
        j->asked_n++;
        rest = ascii_skip_ows(rest);
        if (!resolve(&a, length, &r))
            continue;
        if (r.len > 0)
            add(j, r);
        else
            *ret_empty = true;
    } while (ascii_take(&rest, ','));
    return rest.len == 0 && j->asked_n > 0;
}

enum ranges_result ranges_read(struct str field, uint64_t length,
                               struct ranges *ret)
{
    struct joined j = {.n = 0};
    bool empty = false;
    ret->n = 0;
    struct str unit = ascii_take_token(&field);
    if (!ascii_equal(unit, STR("bytes")) || !ascii_take(&field, '='))
        return RANGES_NONE;
    if (!read_set(field, length, &j, &empty) || j.n > RANGES_MAX || empty)
        return RANGES_NONE;
    if (j.n == 0)
        return RANGES_UNSATISFIABLE;
    memcpy(ret->at, j.at, j.n * sizeof j.at[0]);
    ret->n = j.n;
    return RANGES_SOME;
}
