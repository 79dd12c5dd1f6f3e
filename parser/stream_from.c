#include "parser/stream_from.h"

#include "parser/ascii.h"
#include "parser/number.h"
#include "parser/stream_offset.h"

/* What stands behind the '-'. */
static bool read_back(struct str text, struct stream_from *f)
{
    if (text.len == 0 || ascii_is_digit(text.at[text.len - 1]))
        return false;
    f->kind = FROM_MS;
    if (number_read_ms(text, &f->value))
        return true;
    f->kind = FROM_BYTES;
    return number_read_bytes(text, &f->value);
}

bool stream_from_read(struct str text, struct stream_from *ret)
{
    struct stream_from f = {FROM_START, 0};
    switch (stream_offset_read(text, &f.value)) {
    case OFFSET_START:
        break;
    case OFFSET_NOW:
        f.kind = FROM_NOW;
        break;
    case OFFSET_AT:
        f.kind = FROM_AT;
        break;
    case OFFSET_BEYOND:
        f.kind = FROM_BEYOND;
        break;
    case OFFSET_MALFORMED:
        if (!str_equal(text, STR("start")) &&
            (!ascii_take(&text, '-') || !read_back(text, &f)))
            return false;
        break;
    }
    *ret = f;
    return true;
}
