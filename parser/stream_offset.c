#include "parser/stream_offset.h"

#include "parser/number.h"

#include <assert.h>

#define HALF_DIGITS 16u

static const struct str front = {"0000000000000000_", HALF_DIGITS + 1};

void stream_offset_write(char *at, uint64_t pos)
{
    assert(pos < STREAM_OFFSET_END);
    memcpy(at, front.at, front.len);
    number_write_padded(at + front.len, pos, HALF_DIGITS);
}

enum stream_offset_kind stream_offset_read(struct str text, uint64_t *ret_pos)
{
    uint64_t first;
    uint64_t pos;
    if (str_equal(text, STR("-1")))
        return OFFSET_START;
    if (str_equal(text, STR("now")))
        return OFFSET_NOW;
    if (text.len != STREAM_OFFSET_BYTES || text.at[HALF_DIGITS] != '_' ||
        !number_read_u64((struct str){text.at, HALF_DIGITS}, &first) ||
        !number_read_u64(str_skip(text, front.len), &pos))
        return OFFSET_MALFORMED;
    if (first > 0)
        return OFFSET_BEYOND;
    *ret_pos = pos;
    return OFFSET_AT;
}
