#include "httpd/sources/lab_chunks.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/sources/generator.h"
#include "httpd/sources/lab_answer.h"
#include "httpd/sources/lab_endpoints.h"
#include "httpd/sources/lab_limits.h"
#include "httpd/sources/lab_params.h"

#include <assert.h>
#include <stdio.h>

static const struct lab_bound size_bound = {"N", LAB_SIZE, 0, LAB_BYTES_MAX};
static const struct lab_bound sizes_bound = {"sizes", LAB_SIZE, 1,
                                             LAB_CHUNK_BYTES_MAX};
static const struct lab_bound chunk_bound = {"chunk", LAB_SIZE, 1,
                                             LAB_CHUNK_BYTES_MAX};
static const struct lab_bound seed_bound = {"seed", LAB_COUNT, 0, UINT64_MAX};

void lab_stream_bytes(struct exchange *x, struct str part)
{
    uint64_t size = LAB_CHUNK_BYTES;
    struct generator_plan plan = {.fill = GENERATOR_PATTERN};

    if (!lab_part(x, &size_bound, part, &plan.end) ||
        !lab_param(x, &seed_bound, &plan.seed) ||
        !lab_param(x, &chunk_bound, &size))
        return;
    const uint32_t sizes[] = {(uint32_t)size};

    plan.chunk_sizes = sizes;
    plan.chunk_sizes_n = 1;
    lab_begin(x, 200, LAB_TYPE_BYTES);
    generator_send(x, &plan, RESPONSE_LENGTH_UNKNOWN);
}

/* Splits off what stands before the next comma. */
static struct str next_member(struct str *list)
{
    const char *comma = list->len > 0 ? memchr(list->at, ',', list->len) : NULL;
    struct str member = *list;

    if (comma == NULL) {
        *list = (struct str){NULL, 0};
        return member;
    }
    member.len = (size_t)(comma - list->at);
    *list = str_skip(*list, member.len + 1);
    return member;
}

bool lab_chunk_sizes_read(struct str list, uint32_t *sizes, size_t *ret_n,
                          char *complaint)
{
    size_t n = 0;

    do {
        const struct str member = next_member(&list);
        uint64_t size = 0;

        if (n == LAB_CHUNK_SIZES_MAX) {
            (void)snprintf(complaint, LAB_COMPLAINT_BYTES,
                           "sizes: more than %u; ask for fewer",
                           LAB_CHUNK_SIZES_MAX);
            return false;
        }
        if (!lab_bound_read(&sizes_bound, member, &size, complaint))
            return false;
        sizes[n++] = (uint32_t)size;
    } while (list.at != NULL);
    *ret_n = n;
    return true;
}

static void send_chunks(struct exchange *x, const uint32_t *sizes, size_t n,
                        uint64_t seed)
{
    struct generator_plan plan = {
        .fill = GENERATOR_PATTERN,
        .seed = seed,
        .chunk_sizes = sizes,
        .chunk_sizes_n = n,
    };

    assert(n > 0);
    for (size_t i = 0; i < n; i++)
        plan.end += sizes[i];
    lab_begin(x, 200, LAB_TYPE_BYTES);
    generator_send(x, &plan, RESPONSE_LENGTH_UNKNOWN);
}

void lab_chunks(struct exchange *x, struct str part)
{
    char value[LAB_VALUE_BYTES_MAX];
    char complaint[LAB_COMPLAINT_BYTES];
    uint32_t sizes[LAB_CHUNK_SIZES_MAX];
    size_t n = 0;
    uint64_t seed = 0;
    struct str list;

    assert(part.len == 0);
    if (!lab_param_text(x, "sizes", value, &list) ||
        !lab_param(x, &seed_bound, &seed))
        return;
    if (list.at == NULL)
        response_error(x, 400, "sizes: missing; give a list such as 1,16,4096");
    else if (!lab_chunk_sizes_read(list, sizes, &n, complaint))
        response_error(x, 400, "%s", complaint);
    else
        send_chunks(x, sizes, n, seed);
}
