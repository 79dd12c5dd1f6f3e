/* Any bytes as a body of JSON. A naive recogniser of RFC 8259 says what must
 * be taken and where the messages stand. */
#include "parser/json_messages.h"

#include "parser/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGES_MAX                                                           \
    65536u /* that the model remembers: as long as an input                    \
            */

struct model {
    struct str text;
    size_t pos;
    unsigned depth;
    unsigned depth_max; /* that there was */
    struct str messages[MESSAGES_MAX];
    size_t messages_n;
};

static bool take(struct model *m, char c)
{
    if (m->pos == m->text.len || m->text.at[m->pos] != c)
        return false;
    m->pos++;
    return true;
}

static bool take_one_of(struct model *m, const char *chars)
{
    for (; *chars; chars++)
        if (take(m, *chars))
            return true;
    return false;
}

static void take_spaces(struct model *m)
{
    while (take_one_of(m, " \t\r\n")) {
    }
}

static bool take_word(struct model *m, struct str word)
{
    if (!str_starts(str_skip(m->text, m->pos), word))
        return false;
    m->pos += word.len;
    return true;
}

static bool take_digits(struct model *m)
{
    size_t from = m->pos;
    while (take_one_of(m, "0123456789")) {
    }
    return m->pos > from;
}

static bool take_number(struct model *m)
{
    (void)take(m, '-');
    if (!take(m, '0') && !take_digits(m))
        return false;
    if (take(m, '.') && !take_digits(m))
        return false;
    if (!take_one_of(m, "eE"))
        return true;
    (void)take_one_of(m, "+-");
    return take_digits(m);
}

static bool take_escape(struct model *m)
{
    if (take_one_of(m, "\"\\/bfnrt"))
        return true;
    bool hex = take(m, 'u');
    for (int i = 0; i < 4 && hex; i++)
        hex = take_one_of(m, "0123456789abcdefABCDEF");
    return hex;
}

/* Behind the first quote. */
static bool take_string(struct model *m)
{
    while (!take(m, '"')) {
        if (m->pos == m->text.len || (unsigned char)m->text.at[m->pos] < ' ')
            return false;
        if (!take(m, '\\'))
            m->pos++;
        else if (!take_escape(m))
            return false;
    }
    return true;
}

static bool take_value(struct model *m);

/* Behind its bracket. The outermost array's elements are messages. */
static bool take_array(struct model *m)
{
    take_spaces(m);
    if (take(m, ']'))
        return true;
    do {
        take_spaces(m);
        size_t from = m->pos;
        if (!take_value(m))
            return false;
        if (m->depth == 1 && m->messages_n < MESSAGES_MAX)
            m->messages[m->messages_n++] =
                (struct str){m->text.at + from, m->pos - from};
        take_spaces(m);
    } while (take(m, ','));
    return take(m, ']');
}

static bool take_object(struct model *m)
{
    take_spaces(m);
    if (take(m, '}'))
        return true;
    do {
        take_spaces(m);
        if (!take(m, '"') || !take_string(m))
            return false;
        take_spaces(m);
        if (!take(m, ':'))
            return false;
        take_spaces(m);
        if (!take_value(m))
            return false;
        take_spaces(m);
    } while (take(m, ','));
    return take(m, '}');
}

/* No deeper than one beyond what is allowed: what follows is not looked at. */
static bool take_value(struct model *m)
{
    if (take(m, '"'))
        return take_string(m);
    bool array = take(m, '[');
    if (!array && !take(m, '{'))
        return take_word(m, STR("true")) || take_word(m, STR("false")) ||
               take_word(m, STR("null")) || take_number(m);
    if (++m->depth > m->depth_max)
        m->depth_max = m->depth;
    bool whole =
        m->depth <= JSON_DEPTH_MAX && (array ? take_array(m) : take_object(m));
    m->depth--;
    return whole;
}

/* What json_messages_open() has to answer; of a body that is both too deep and
 * malformed, either. */
static enum json_result model_read(struct model *m, struct str body)
{
    m->text = body;
    m->pos = 0;
    m->depth = 0;
    m->depth_max = 0;
    m->messages_n = 0;
    if (utf8_valid_bytes(body) < body.len)
        return JSON_MALFORMED;
    take_spaces(m);
    size_t from = m->pos;
    bool array = from < body.len && body.at[from] == '[';
    bool whole = take_value(m);
    size_t to = m->pos;
    take_spaces(m);
    if (m->depth_max > JSON_DEPTH_MAX)
        return JSON_TOO_DEEP;
    bool bare = m->depth_max == 0 && from < body.len && body.at[from] != '"';
    if (!whole || m->pos < body.len ||
        (bare && to - from > JSON_NUMBER_BYTES_MAX))
        return JSON_MALFORMED;
    if (array)
        return m->messages_n > 0 ? JSON_DONE : JSON_EMPTY;
    m->messages[m->messages_n++] = (struct str){body.at + from, to - from};
    return JSON_DONE;
}

/* What a message has become: the same, but on one line. */
static bool is_line_of(struct str line, struct str message)
{
    if (line.len != message.len)
        return false;
    for (size_t i = 0; i < line.len; i++) {
        bool ended = message.at[i] == '\r' || message.at[i] == '\n';
        if (line.at[i] != (ended ? ' ' : message.at[i]))
            return false;
    }
    return true;
}

static void check_messages(const struct model *m, struct json_messages *seen)
{
    struct str message;
    check(seen->n == m->messages_n, "so many messages");
    for (size_t i = 0; i < m->messages_n; i++) {
        check(json_messages_next(seen, &message), "there is one more");
        check(is_line_of(message, m->messages[i]), "it stands as it came");
    }
    check(!json_messages_next(seen, &message), "there are no more");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct model model;
    struct json_messages seen;
    struct str body = {(const char *)data, len};
    size_t pos = 0;
    enum json_result expected = model_read(&model, body);
    char *copy = exact_copy(body);
    enum json_result r = json_messages_open(&seen, copy, len, &pos);
    if (expected == JSON_TOO_DEEP)
        check(r == JSON_TOO_DEEP || r == JSON_MALFORMED, "it is too deep");
    else if (expected == JSON_MALFORMED)
        check(r == JSON_TOO_DEEP || r == JSON_MALFORMED, "it is malformed");
    else
        check(r == expected, "it is JSON");
    if (r == JSON_DONE || r == JSON_EMPTY) {
        check_messages(&model, &seen);
    } else {
        check(pos <= len, "a place within the body");
        check(len == 0 || memcmp(copy, data, len) == 0, "nothing was touched");
    }
    free(copy);
    return 0;
}
