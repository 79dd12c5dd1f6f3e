#include "parser/chunk_reader.h"

#include "parser/ascii.h"
#include "parser/field_line.h"
#include "parser/octet.h"

#include <assert.h>

void chunk_reader_init(struct chunk_reader *reader, size_t ext_bytes_max)
{
    *reader = (struct chunk_reader){.ext_bytes_max = ext_bytes_max};
}

static enum verdict_id count_ext(struct chunk_reader *reader)
{
    return reader->ext_bytes++ < reader->ext_bytes_max
               ? VERDICT_NONE
               : VERDICT_CHUNK_EXT_TOO_LARGE;
}

static enum verdict_id digit(struct chunk_reader *reader, char c)
{
    if (++reader->digits > CHUNK_DIGITS_MAX || reader->left > INT64_MAX >> 4)
        return VERDICT_CHUNK_SIZE_TOO_LARGE;
    reader->left = reader->left << 4 | (uint64_t)ascii_hex(c);
    return VERDICT_NONE;
}

static enum verdict_id size_byte(struct chunk_reader *reader, char c)
{
    if (octet_is(c, OCTET_HEX))
        return digit(reader, c);
    if (reader->digits == 0)
        return VERDICT_BAD_CHUNK;
    if (c == '\r') {
        reader->state = CHUNK_SIZE_LF;
        return VERDICT_NONE;
    }
    if (c != ';')
        return c == '\n' ? VERDICT_BARE_LF : VERDICT_BAD_CHUNK;
    reader->state = CHUNK_EXT;
    return count_ext(reader);
}

static enum verdict_id ext_byte(struct chunk_reader *reader, char c)
{
    if (c == '\r') {
        reader->state = CHUNK_SIZE_LF;
        return VERDICT_NONE;
    }
    if (c == '\n')
        return VERDICT_BARE_LF;
    if (octet_has_control((struct str){&c, 1}))
        return VERDICT_BAD_CHUNK;
    return count_ext(reader);
}

static enum verdict_id size_lf_byte(struct chunk_reader *reader, char c)
{
    reader->state = reader->left > 0 ? CHUNK_PAYLOAD : CHUNK_LAST;
    return c == '\n' ? VERDICT_NONE : VERDICT_BARE_CR;
}

static enum verdict_id end_cr_byte(struct chunk_reader *reader, char c)
{
    reader->state = CHUNK_END_LF;
    return c == '\r' ? VERDICT_NONE : VERDICT_BAD_CHUNK_END;
}

static enum verdict_id end_lf_byte(struct chunk_reader *reader, char c)
{
    reader->state = CHUNK_SIZE;
    reader->digits = 0;
    return c == '\n' ? VERDICT_NONE : VERDICT_BAD_CHUNK_END;
}

static enum verdict_id framing_byte(struct chunk_reader *reader, char c)
{
    switch (reader->state) {
    case CHUNK_SIZE:
        return size_byte(reader, c);
    case CHUNK_EXT:
        return ext_byte(reader, c);
    case CHUNK_SIZE_LF:
        return size_lf_byte(reader, c);
    case CHUNK_END_CR:
        return end_cr_byte(reader, c);
    default:
        assert(reader->state == CHUNK_END_LF);
        return end_lf_byte(reader, c);
    }
}

static struct str take_payload(struct chunk_reader *reader, struct str in)
{
    if (in.len > reader->left)
        in.len = (size_t)reader->left;
    reader->left -= in.len;
    if (reader->left == 0)
        reader->state = CHUNK_END_CR;
    return in;
}

enum verdict_id chunk_reader_feed(struct chunk_reader *reader, struct str in,
                                  size_t *ret_used, struct str *ret_piece)
{
    enum verdict_id v = VERDICT_NONE;
    size_t n = 0;

    *ret_piece = (struct str){NULL, 0};
    while (v == VERDICT_NONE && n < in.len && reader->state != CHUNK_LAST) {
        if (reader->state == CHUNK_PAYLOAD) {
            *ret_piece = take_payload(reader, str_skip(in, n));
            n += ret_piece->len;
            break;
        }
        v = framing_byte(reader, in.at[n++]);
    }
    *ret_used = n;
    return v;
}
