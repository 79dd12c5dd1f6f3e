#include "httpd/config/directive.h"

#include "buffers/str.h"
#include "httpd/config/config.h"
#include "parser/number.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#define OWNER_SERVER struct config
#define OWNER_ROUTE  struct route_config

#define FIELD_BYTES(name)      name
#define FIELD_BYTES_AUTO(name) name
#define FIELD_BYTES_OFF(name)  name
#define FIELD_MS(name)         name##_ms
#define FIELD_COUNT(name)      name
#define FIELD_COUNT_AUTO(name) name
#define FIELD_BOOL(name)       name
#define FIELD_TEXT(name)       name
#define FIELD_LIST(name)       name

const struct directive directives[] = {
#define DIRECTIVE(scope_, type_, name_, def_, min_, max_, help_)               \
    {.scope = DIRECTIVE_##scope_,                                              \
     .type = DIRECTIVE_##type_,                                                \
     .name = #name_,                                                           \
     .def = (def_),                                                            \
     .min = (min_),                                                            \
     .max = (max_),                                                            \
     .help = (help_),                                                          \
     .offset = offsetof(OWNER_##scope_, FIELD_##type_(name_))},
#include "httpd/config/directives.def"
#undef DIRECTIVE
};

const size_t directives_n = sizeof(directives) / sizeof(directives[0]);

/* Longer names are compared by their beginning. */
#define NAME_LEN_MAX 40u

/* More edits than this are another word, not a slip. */
#define NAME_EDITS_MAX 3u

static void *field(const struct directive *d, void *owner)
{
    assert(owner);
    return (char *)owner + d->offset;
}

const struct directive *directive_find(enum directive_scope scope,
                                       const char *name)
{
    assert(name);
    for (size_t i = 0; i < directives_n; i++) {
        const struct directive *d = &directives[i];
        if (d->scope == scope && strcmp(d->name, name) == 0)
            return d;
    }
    return NULL;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* The edits that make b of a: one letter put in, left out or replaced. Keeps
 * one row of the usual table. */
static size_t edits(const char *a, const char *b)
{
    size_t row[NAME_LEN_MAX + 1];
    size_t a_len = strnlen(a, NAME_LEN_MAX);
    size_t b_len = strnlen(b, NAME_LEN_MAX);
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = least(above + 1, row[j - 1] + 1, replaced);
            diagonal = above;
        }
    }
    return row[b_len];
}

const struct directive *directive_nearest(enum directive_scope scope,
                                          const char *name)
{
    assert(name);
    const struct directive *nearest = NULL;
    size_t fewest = NAME_EDITS_MAX + 1;
    for (size_t i = 0; i < directives_n; i++) {
        const struct directive *d = &directives[i];
        size_t n = edits(name, d->name);
        /* Half of its letters changed make a short name another word. */
        if (d->scope == scope && n < fewest && 2 * n <= strlen(d->name)) {
            fewest = n;
            nearest = d;
        }
    }
    return nearest;
}

static bool is_bytes(const struct directive *d)
{
    return d->type == DIRECTIVE_BYTES || d->type == DIRECTIVE_BYTES_AUTO ||
           d->type == DIRECTIVE_BYTES_OFF;
}

/* The word that stands for 0, or NULL. */
static const char *zero_word(const struct directive *d)
{
    if (d->type == DIRECTIVE_BYTES_AUTO || d->type == DIRECTIVE_COUNT_AUTO)
        return "auto";
    return d->type == DIRECTIVE_BYTES_OFF ? "off" : NULL;
}

/* The largest unit that leaves no rest. */
static void write_bytes(uint64_t v, FILE *out)
{
    static const char units[] = "kmgt";
    size_t unit = 0;
    while (unit < sizeof(units) - 1 && v != 0 && v % 1024 == 0) {
        v /= 1024;
        unit++;
    }
    fprintf(out, "%llu", (unsigned long long)v);
    if (unit > 0)
        fputc(units[unit - 1], out);
}

static void write_ms(uint64_t ms, FILE *out)
{
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms != 0 || (ms == 0 && units[i].ms > 1000))
        i++;
    fprintf(out, "%llu%s", (unsigned long long)(ms / units[i].ms),
            units[i].unit);
}

static void write_number(const struct directive *d, uint64_t v, FILE *out)
{
    if (zero_word(d) && v == 0)
        fputs(zero_word(d), out);
    else if (is_bytes(d))
        write_bytes(v, out);
    else if (d->type == DIRECTIVE_MS)
        write_ms(v, out);
    else
        fprintf(out, "%llu", (unsigned long long)v);
}

void directive_write_bounds(const struct directive *d, FILE *out)
{
    if (d->type == DIRECTIVE_TEXT || d->type == DIRECTIVE_BOOL)
        return;
    if (d->type == DIRECTIVE_LIST) {
        fprintf(out, "%llu to %llu of them", (unsigned long long)d->min,
                (unsigned long long)d->max);
        return;
    }
    if (zero_word(d))
        fprintf(out, "%s, or ", zero_word(d));
    /* A lower bound of 0 is a number here, also where 0 has a word. */
    if (d->min == 0)
        fputs("0", out);
    else
        write_number(d, d->min, out);
    fputs(" to ", out);
    write_number(d, d->max, out);
}

__attribute__((format(printf, 2, 3))) static bool
wrong(struct directive_fault *ret_fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ret_fault->text, sizeof(ret_fault->text), format, args);
    va_end(args);
    return false;
}

static bool wrong_kind(const struct directive *d, const char *text,
                       struct directive_fault *ret_fault)
{
    static const char *const kinds[] = {
        [DIRECTIVE_BYTES] = "a size; write it like 4096, 64k, 10m or 1g",
        [DIRECTIVE_BYTES_AUTO] =
            "a size; write auto, or it like 4096, 64k, 10m or 1g",
        [DIRECTIVE_BYTES_OFF] =
            "a size; write off, or it like 4096, 64k, 10m or 1g",
        [DIRECTIVE_MS] = "a time; write it like 250ms, 10s, 5m or 2h",
        [DIRECTIVE_COUNT] = "a whole number; write digits only",
        [DIRECTIVE_COUNT_AUTO] = "a whole number; write auto, or digits only",
        [DIRECTIVE_BOOL] = "a truth value; write true or false",
    };
    return wrong(ret_fault, "%s: \"%.60s\" is not %s", d->name, text,
                 kinds[d->type]);
}

static bool out_of_bounds(const struct directive *d, const char *text,
                          struct directive_fault *ret_fault)
{
    char bounds[96] = "";
    FILE *out = fmemopen(bounds, sizeof(bounds), "w");
    if (out) {
        directive_write_bounds(d, out);
        fclose(out);
    }
    return wrong(ret_fault, "%s: %.60s is out of bounds; it may be %s", d->name,
                 text, bounds);
}

static bool read_number(const struct directive *d, const char *text,
                        void *owner, struct directive_fault *ret_fault)
{
    uint64_t v = 0;
    struct str s = str_from(text);
    const char *word = zero_word(d);
    bool is_word = word && strcasecmp(text, word) == 0;
    bool ok = is_word;
    if (!ok && is_bytes(d))
        ok = number_read_bytes(s, &v);
    else if (!ok && d->type == DIRECTIVE_MS)
        ok = number_read_ms(s, &v);
    else if (!ok)
        ok = number_read_u64(s, &v);
    if (!ok)
        return wrong_kind(d, text, ret_fault);
    if (!is_word && (v < d->min || v > d->max))
        return out_of_bounds(d, text, ret_fault);
    if (owner)
        *(uint64_t *)field(d, owner) = v;
    return true;
}

static bool read_bool(const struct directive *d, const char *text, void *owner,
                      struct directive_fault *ret_fault)
{
    static const char *const words[] = {"false", "true", "no",
                                        "yes",   "off",  "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) != 0)
            continue;
        if (owner)
            *(bool *)field(d, owner) = i % 2 != 0;
        return true;
    }
    return wrong_kind(d, text, ret_fault);
}

static bool read_text(const struct directive *d, const char *text, void *owner,
                      struct directive_fault *ret_fault)
{
    if (!owner)
        return true;
    char *copy = strdup(text);
    if (!copy)
        return wrong(ret_fault, "out of memory");
    char **at = field(d, owner);
    free(*at);
    *at = copy;
    return true;
}

static bool read_member(const struct directive *d, const char *text,
                        void *owner, struct directive_fault *ret_fault)
{
    if (!owner)
        return true;
    struct text_list *list = field(d, owner);
    char **at = reallocarray(list->at, list->n + 1, sizeof(*at));
    if (!at)
        return wrong(ret_fault, "out of memory");
    list->at = at;
    at[list->n] = strdup(text);
    if (!at[list->n])
        return wrong(ret_fault, "out of memory");
    list->n++;
    return true;
}

bool directive_read(const struct directive *d, const char *text, void *owner,
                    struct directive_fault *ret_fault)
{
    assert(d);
    assert(text);
    switch (d->type) {
    case DIRECTIVE_BOOL:
        return read_bool(d, text, owner, ret_fault);
    case DIRECTIVE_TEXT:
        return read_text(d, text, owner, ret_fault);
    case DIRECTIVE_LIST:
        return read_member(d, text, owner, ret_fault);
    default:
        return read_number(d, text, owner, ret_fault);
    }
}

/* A list's default is one text; an empty one is an empty list. */
bool directive_default(const struct directive *d, void *owner)
{
    struct directive_fault fault;
    directive_clear(d, owner);
    if (d->type == DIRECTIVE_LIST && d->def[0] == '\0')
        return true;
    return directive_read(d, d->def, owner, &fault);
}

/* The lexer of the file reads every escape that is written here back: ${ would
 * be an environment variable. */
static void write_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\' || c == '$')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void write_list(const struct text_list *list, FILE *out)
{
    fputc('{', out);
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            fputs(", ", out);
        write_text(list->at[i], out);
    }
    fputc('}', out);
}

void directive_write(const struct directive *d, const void *owner, FILE *out)
{
    assert(owner);
    const void *at = (const char *)owner + d->offset;
    switch (d->type) {
    case DIRECTIVE_BOOL:
        fputs(*(const bool *)at ? "true" : "false", out);
        break;
    case DIRECTIVE_TEXT:
        write_text(*(char *const *)at, out);
        break;
    case DIRECTIVE_LIST:
        write_list(at, out);
        break;
    default:
        write_number(d, *(const uint64_t *)at, out);
    }
}

void directive_clear(const struct directive *d, void *owner)
{
    if (d->type == DIRECTIVE_TEXT) {
        char **text = field(d, owner);
        free(*text);
        *text = NULL;
    } else if (d->type == DIRECTIVE_LIST) {
        struct text_list *list = field(d, owner);
        for (size_t i = 0; i < list->n; i++)
            free(list->at[i]);
        free(list->at);
        *list = (struct text_list){NULL, 0};
    }
}
