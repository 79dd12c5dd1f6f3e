#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/sources/generator.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"

#include <assert.h>
#include <stddef.h>

static const struct lab_bound bytes_bound = {"bytes", LAB_SIZE, 0,
                                             LAB_BYTES_MAX};
static const struct lab_bound length_bound = {"length", LAB_SIZE, 1,
                                              LAB_BYTES_MAX};
static const struct lab_bound after_bound = {"after", LAB_SIZE, 0,
                                             LAB_BYTES_MAX};

/* HTTP/1.0 has no chunks to be left unfinished, only a length to fall short
 * of. */
static uint64_t cut_length(const struct exchange *x, uint64_t asked,
                           uint64_t bytes)
{
    if (asked != RESPONSE_LENGTH_UNKNOWN || x->req.minor > 0)
        return asked;
    return bytes + 1;
}

void lab_truncate(struct exchange *x, struct str part)
{
    uint64_t length = RESPONSE_LENGTH_UNKNOWN;
    uint64_t bytes = UINT64_MAX;

    assert(part.len == 0);
    if (!lab_param(x, &length_bound, &length) ||
        !lab_param(x, &bytes_bound, &bytes))
        return;
    if (bytes == UINT64_MAX)
        bytes =
            length == RESPONSE_LENGTH_UNKNOWN ? LAB_TRUNCATE_BYTES : length / 2;
    if (bytes >= length) {
        response_error(x, 400,
                       "bytes: not less than length, so nothing would "
                       "be missing; give fewer bytes");
        return;
    }
    const struct generator_plan plan = {
        .end = bytes,
        .fill = GENERATOR_PATTERN,
        .ending = GENERATOR_IS_CUT,
    };

    lab_begin(x, 200, LAB_TYPE_BYTES);
    generator_send(x, &plan, cut_length(x, length, bytes));
}

/* Fails before it has answered: the connection is reset as it is. */
static enum flow pull_reset(void *self, struct exchange *x)
{
    assert(self != NULL);
    x->failure = FAILURE_RESET;
    return FLOW_FAILED;
}

static void stop_nothing(void *self)
{
    assert(self != NULL); /* not ours to free */
}

static const struct source_ops reset_ops = {
    .name = "reset", .pull = pull_reset, .stop = stop_nothing};

void lab_reset(struct exchange *x, struct str part)
{
    struct generator_plan plan = {
        .end = UINT64_MAX,
        .fill = GENERATOR_PATTERN,
        .ending = GENERATOR_IS_RESET,
        .hold_ms = LAB_RESET_GRACE_MS,
    };

    assert(part.len == 0);
    if (!lab_param(x, &after_bound, &plan.end))
        return;
    if (plan.end == UINT64_MAX) {
        exchange_defer(x, &reset_ops, x);
        return;
    }
    lab_begin(x, 200, LAB_TYPE_BYTES);
    generator_send(x, &plan, RESPONSE_LENGTH_UNKNOWN);
}

/* Each begins with a good chunk of the text below. */
#define GOOD "5\r\ngood\n\r\n"

static const char *const kinds[] = {"size", "end", "sign", "huge", "data"};

static const struct str broken_chunks[] = {
    STR(GOOD "xyz\r\nnot a number\r\n0\r\n\r\n"),
    STR(GOOD "4\r\nlong, and no line end\r\n0\r\n\r\n"),
    STR(GOOD "-4\r\nbad\n\r\n0\r\n\r\n"),
    STR(GOOD "fffffffffffffffff\r\nbad\n\r\n0\r\n\r\n"),
    STR(GOOD "40\r\nthe size promises more\r\n0\r\n\r\n"),
};

_Static_assert(sizeof(kinds) / sizeof(kinds[0]) ==
                   sizeof(broken_chunks) / sizeof(broken_chunks[0]),
               "one body a kind");

static enum flow pull_badchunk(void *self, struct exchange *x)
{
    const struct str *broken = self;

    if (exchange_push_raw(x, *broken) == FLOW_DONE)
        x->failure = FAILURE_CUT;
    return FLOW_FAILED;
}

static const struct source_ops badchunk_ops = {
    .name = "badchunk", .pull = pull_badchunk, .stop = stop_nothing};

void lab_badchunk(struct exchange *x, struct str part)
{
    size_t kind = 0;

    assert(part.len == 0);
    if (!lab_param_word(x, "kind", kinds, sizeof(kinds) / sizeof(kinds[0]),
                        &kind))
        return;
    if (x->req.minor == 0) {
        response_error(x, 400, "HTTP/1.0 has no chunks; ask with HTTP/1.1");
        return;
    }
    lab_begin(x, 200, LAB_TYPE_TEXT);
    response_send_source(x, &badchunk_ops, (void *)&broken_chunks[kind],
                         RESPONSE_LENGTH_UNKNOWN);
}
