#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/sources/digest.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"
#include "httpd/sources/pattern.h"
#include "parser/number.h"

#include <assert.h>
#include <stdlib.h>

#define LENGTH_NAME "X-Content-Length"
#define DIGEST_NAME "X-Content-SHA256"

static const struct lab_bound bytes_bound = {"bytes", LAB_SIZE, 0,
                                             LAB_BYTES_MAX};

struct trailing {
    uint64_t pos;
    uint64_t end;
    struct digest *digest;
};

static enum flow add_trailers(struct trailing *t, struct exchange *x)
{
    char digits[NUMBER_DIGITS_MAX];
    char hex[DIGEST_HEX_BYTES];
    const size_t n = number_write_u64(digits, t->end);

    if (!digest_hex(t->digest, hex))
        return FLOW_FAILED;
    if (exchange_trailer(x, STR(LENGTH_NAME), (struct str){digits, n}) !=
            FLOW_DONE ||
        exchange_trailer(x, STR(DIGEST_NAME), (struct str){hex, sizeof(hex)}) !=
            FLOW_DONE)
        return FLOW_FAILED;
    return FLOW_END;
}

static enum flow pull(void *self, struct exchange *x)
{
    struct trailing *t = self;
    char piece[LAB_PIECE_BYTES];
    size_t len = exchange_room(x);

    if (len > sizeof(piece))
        len = sizeof(piece);
    if (len > t->end - t->pos)
        len = (size_t)(t->end - t->pos);
    pattern_text(t->pos, piece, len);
    if (len > 0 && (!digest_add(t->digest, (struct str){piece, len}) ||
                    exchange_push(x, (struct str){piece, len}) != FLOW_DONE))
        return FLOW_FAILED;
    t->pos += len;
    return t->pos == t->end ? add_trailers(t, x) : FLOW_DONE;
}

static void stop(void *self)
{
    struct trailing *t = self;

    digest_free(t->digest);
    free(t);
}

static const struct source_ops trailers_ops = {
    .name = "trailers", .pull = pull, .stop = stop};

void lab_trailers(struct exchange *x, struct str part)
{
    uint64_t bytes = LAB_TRAILERS_BYTES;
    struct trailing *t;

    assert(part.len == 0);
    if (!lab_param(x, &bytes_bound, &bytes))
        return;
    t = calloc(1, sizeof(*t));
    if (t != NULL)
        t->digest = digest_new();
    if (t == NULL || t->digest == NULL) {
        free(t);
        lab_out_of_memory(x);
        return;
    }
    t->end = bytes;
    lab_begin(x, 200, LAB_TYPE_TEXT);
    if (x->req.minor > 0)
        response_header(x, "Trailer", STR(LENGTH_NAME ", " DIGEST_NAME));
    response_send_source(x, &trailers_ops, t, RESPONSE_LENGTH_UNKNOWN);
}
