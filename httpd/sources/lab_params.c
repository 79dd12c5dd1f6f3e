#include "httpd/sources/lab_params.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/sources/lab_limits.h"
#include "parser/number.h"
#include "parser/query.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SHOWN_NUMBER_BYTES 24u

/* A unit's steps from large to small, as people write them. */
struct scale {
    uint64_t factor;
    const char *suffix;
};

static const struct scale size_scales[] = {
    {UINT64_C(1) << 40, "t"}, {1u << 30, "g"}, {1u << 20, "m"},
    {1u << 10, "k"},          {1, ""},
};

static const struct scale time_scales[] = {
    {LAB_HOUR_MS, "h"},
    {60 * LAB_SECOND_MS, "m"},
    {LAB_SECOND_MS, "s"},
    {1, "ms"},
};

static const struct scale count_scales[] = {{1, ""}};

struct unit {
    bool (*read)(struct str text, uint64_t *ret);
    const struct scale *scales;
    const char *noun;
    const char *examples;
};

static const struct unit units[] = {
    [LAB_COUNT] = {number_read_u64, count_scales, "a whole number", ""},
    [LAB_SIZE] = {number_read_bytes, size_scales, "a size",
                  ", such as 4096, 64k or 10m"},
    [LAB_TIME] = {number_read_ms, time_scales, "a duration",
                  ", such as 250ms, 1.5s or 2m"},
};

/* The largest step that divides the value; the last step is 1. */
static void show_number(const struct unit *unit, uint64_t value, char *out)
{
    const struct scale *s = unit->scales;

    while (s->factor > 1 && (value == 0 || value % s->factor != 0))
        s++;
    (void)snprintf(out, SHOWN_NUMBER_BYTES, "%" PRIu64 "%s", value / s->factor,
                   s->suffix);
}

/* What was given, safe to print; its end is left out when it is long. */
static void show_text(struct str text, char *out)
{
    const size_t n =
        text.len < LAB_SHOWN_BYTES_MAX ? text.len : LAB_SHOWN_BYTES_MAX;

    for (size_t i = 0; i < n; i++) {
        const bool plain = text.at[i] >= ' ' && text.at[i] <= '~';

        out[i] = '?';
        if (plain)
            out[i] = text.at[i];
    }
    out[n] = '\0';
}

bool lab_bound_read(const struct lab_bound *bound, struct str text,
                    uint64_t *ret, char *complaint)
{
    const struct unit *unit = &units[bound->unit];
    char given[LAB_SHOWN_BYTES_MAX + 1];
    char min[SHOWN_NUMBER_BYTES];
    char max[SHOWN_NUMBER_BYTES];
    uint64_t value;

    assert(bound->min <= bound->max);
    if (unit->read(text, &value) && value >= bound->min &&
        value <= bound->max) {
        *ret = value;
        return true;
    }
    show_text(text, given);
    show_number(unit, bound->min, min);
    show_number(unit, bound->max, max);
    (void)snprintf(complaint, LAB_COMPLAINT_BYTES,
                   "%s: \"%s\" is not %s from %s to %s%s", bound->name, given,
                   unit->noun, min, max, unit->examples);
    return false;
}

bool lab_part(struct exchange *x, const struct lab_bound *bound,
              struct str text, uint64_t *ret)
{
    char complaint[LAB_COMPLAINT_BYTES];

    if (lab_bound_read(bound, text, ret, complaint))
        return true;
    response_error(x, 400, "%s", complaint);
    return false;
}

static struct str raw_param(const struct exchange *x, const char *name)
{
    const struct str query = request_str(&x->req, x->req.query);

    return query_get(query, str_from(name));
}

bool lab_param_text(struct exchange *x, const char *name, char *out,
                    struct str *ret)
{
    const struct str raw = raw_param(x, name);
    size_t len;

    *ret = (struct str){NULL, 0};
    if (raw.at == NULL)
        return true;
    if (!query_decode(raw, out, LAB_VALUE_BYTES_MAX, &len)) {
        response_error(x, 400,
                       "%s: not a percent-encoded text of at most %u bytes",
                       name, LAB_VALUE_BYTES_MAX);
        return false;
    }
    *ret = (struct str){out, len};
    return true;
}

bool lab_param(struct exchange *x, const struct lab_bound *bound, uint64_t *ret)
{
    char value[LAB_VALUE_BYTES_MAX];
    struct str text;

    if (!lab_param_text(x, bound->name, value, &text))
        return false;
    return text.at == NULL || lab_part(x, bound, text, ret);
}

static void list_words(const char *const *words, size_t n, char *out)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n && len < LAB_COMPLAINT_BYTES; i++)
        len += (size_t)snprintf(out + len, LAB_COMPLAINT_BYTES - len, "%s%s",
                                i > 0 ? ", " : "", words[i]);
}

bool lab_param_word(struct exchange *x, const char *name,
                    const char *const *words, size_t n, size_t *ret_index)
{
    char value[LAB_VALUE_BYTES_MAX];
    char given[LAB_SHOWN_BYTES_MAX + 1];
    char list[LAB_COMPLAINT_BYTES];
    struct str text;

    if (!lab_param_text(x, name, value, &text))
        return false;
    if (text.at == NULL)
        return true;
    for (size_t i = 0; i < n; i++) {
        if (str_equal(text, str_from(words[i]))) {
            *ret_index = i;
            return true;
        }
    }
    show_text(text, given);
    list_words(words, n, list);
    response_error(x, 400, "%s: \"%s\" is not one of %s", name, given, list);
    return false;
}

bool lab_param_flag(const struct exchange *x, const char *name)
{
    const struct str raw = raw_param(x, name);

    return raw.at != NULL && !str_equal(raw, STR("0")) &&
           !str_equal(raw, STR("false"));
}
