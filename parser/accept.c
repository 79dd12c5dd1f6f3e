#include "parser/accept.h"

#include "parser/ascii.h"

#include <assert.h>
#include <stdbool.h>

#define WEIGHT_MAX        1000
#define WEIGHT_DIGITS_MAX 3
#define PARAMETERS_MAX    16 /* a member with more is passed over */

struct parameter {
    struct str name;
    struct str value; /* without its quotes */
};

struct member {
    struct str type; /* or the coding */
    struct str subtype;
    int weight;
    int n;
    struct parameter parameters[PARAMETERS_MAX];
};

/* Bytes of the member that the list begins with: up to a comma that stands
 * outside quotes. */
static size_t member_len(struct str list)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < list.len && (quoted || list.at[i] != ','); i++) {
        if (quoted && list.at[i] == '\\' && i + 1 < list.len)
            i++;
        else if (list.at[i] == '"')
            quoted = !quoted;
    }
    return i;
}

/* Takes the next member off the list, without white space before it. */
static bool next_member(struct str *list, struct str *ret)
{
    while (list->len > 0 && (ascii_is_ows(list->at[0]) || list->at[0] == ','))
        *list = str_skip(*list, 1);
    size_t n = member_len(*list);
    *ret = (struct str){list->at, n};
    *list = str_skip(*list, n);
    return n > 0;
}

/* "0", "1", "0.25", "1.000"; -1 when it is no weight. */
static int read_weight(struct str s)
{
    if (s.len == 0 || (s.at[0] != '0' && s.at[0] != '1'))
        return -1;
    int weight = (s.at[0] - '0') * WEIGHT_MAX;
    s = str_skip(s, 1);
    bool point = ascii_take(&s, '.');
    if ((!point && s.len > 0) || s.len > WEIGHT_DIGITS_MAX)
        return -1;
    int unit = WEIGHT_MAX / 10;
    for (size_t i = 0; i < s.len; i++, unit /= 10) {
        if (!ascii_is_digit(s.at[i]))
            return -1;
        weight += (s.at[i] - '0') * unit;
    }
    return weight <= WEIGHT_MAX ? weight : -1;
}

/* Takes "…" off the front; ret is what stands between the quotes. */
static bool take_quoted(struct str *rest, struct str *ret)
{
    size_t n = 1;
    while (n < rest->len && rest->at[n] != '"')
        n += rest->at[n] == '\\' ? 2 : 1;
    if (n >= rest->len)
        return false;
    *ret = (struct str){rest->at + 1, n - 1};
    *rest = str_skip(*rest, n + 1);
    return true;
}

static bool take_parameter(struct str *rest, struct parameter *ret)
{
    ret->name = ascii_take_token(rest);
    if (ret->name.len == 0 || !ascii_take(rest, '='))
        return false;
    if (ascii_at(*rest, '"'))
        return take_quoted(rest, &ret->value);
    ret->value = ascii_take_token(rest);
    return ret->value.len > 0;
}

/* Keeps a parameter, or the weight if it is one: "q" wherever it stands. */
static bool keep_parameter(struct member *m, struct parameter p)
{
    if (ascii_equal(p.name, STR("q"))) {
        m->weight = read_weight(p.value);
        return m->weight >= 0;
    }
    if (m->n == PARAMETERS_MAX)
        return false;
    m->parameters[m->n++] = p;
    return true;
}

/* The rest of a member: white space, and parameters behind semicolons, of
 * which some may be empty. */
static bool read_parameters(struct str rest, struct member *m)
{
    m->weight = WEIGHT_MAX;
    m->n = 0;
    rest = ascii_skip_ows(rest);
    while (ascii_take(&rest, ';')) {
        struct parameter p;
        rest = ascii_skip_ows(rest);
        if (rest.len == 0 || ascii_at(rest, ';'))
            continue;
        if (!take_parameter(&rest, &p) || !keep_parameter(m, p))
            return false;
        rest = ascii_skip_ows(rest);
    }
    return rest.len == 0;
}

static bool read_coding(struct str s, struct member *m)
{
    m->type = ascii_take_token(&s);
    m->subtype = (struct str){NULL, 0};
    return m->type.len > 0 && read_parameters(s, m) && m->n == 0;
}

static bool read_type(struct str s, struct member *m)
{
    m->type = ascii_take_token(&s);
    if (m->type.len == 0 || !ascii_take(&s, '/'))
        return false;
    m->subtype = ascii_take_token(&s);
    return m->subtype.len > 0 && read_parameters(s, m);
}

static bool is_any(struct str s)
{
    return str_equal(s, STR("*"));
}

static struct str plain_coding(struct str coding)
{
    if (ascii_equal(coding, STR("x-gzip")))
        return STR("gzip");
    if (ascii_equal(coding, STR("x-compress")))
        return STR("compress");
    return coding;
}

int accept_encoding_weight(struct str field, struct str coding)
{
    int named = -1;
    int any = -1;
    struct str s;
    coding = plain_coding(coding);
    while (named < 0 && next_member(&field, &s)) {
        struct member m;
        if (!read_coding(s, &m))
            continue;
        if (is_any(m.type) && any < 0)
            any = m.weight;
        if (ascii_equal(plain_coding(m.type), coding))
            named = m.weight;
    }
    return named >= 0 ? named : any;
}

static bool has_parameter(const struct member *m, struct parameter p)
{
    for (int i = 0; i < m->n; i++)
        if (ascii_equal(m->parameters[i].name, p.name) &&
            ascii_equal(m->parameters[i].value, p.value))
            return true;
    return false;
}

static bool has_all_parameters(const struct member *m,
                               const struct member *range)
{
    for (int i = 0; i < range->n; i++)
        if (!has_parameter(m, range->parameters[i]))
            return false;
    return true;
}

/* How closely a range fits the type: 0 not at all, 1 for any type, 2 for any
 * of its subtypes, 3 for itself, and 1 more for each parameter. */
static int fit(const struct member *range, const struct member *type)
{
    bool any_type = is_any(range->type);
    bool any_subtype = is_any(range->subtype);
    if (!any_type && !ascii_equal(range->type, type->type))
        return 0;
    if (!any_subtype && !ascii_equal(range->subtype, type->subtype))
        return 0;
    if ((any_type && !any_subtype) || !has_all_parameters(type, range))
        return 0;
    return 3 - any_type - any_subtype + range->n;
}

int accept_type_weight(struct str field, struct str type)
{
    struct member wanted;
    struct str s;
    int best = 0;
    int weight = -1;
    if (!read_type(type, &wanted))
        return -1;
    while (next_member(&field, &s)) {
        struct member range;
        int closeness = read_type(s, &range) ? fit(&range, &wanted) : 0;
        if (closeness > best) {
            best = closeness;
            weight = range.weight;
        }
    }
    assert(weight <= WEIGHT_MAX);
    return weight;
}
