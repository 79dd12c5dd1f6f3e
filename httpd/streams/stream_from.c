#include "httpd/streams/stream_from.h"

#include "parser/number.h"

static bool read_back(struct str amount, struct stream_from *ret)
{
    uint64_t n;
    if (amount.len == 0)
        return false;
    char last = amount.at[amount.len - 1];
    bool time = last == 's' || last == 'h';
    if (time ? !number_read_ms(amount, &n) : !number_read_bytes(amount, &n))
        return false;
    *ret = (struct stream_from){time ? FROM_MS : FROM_BYTES, n};
    return true;
}

bool stream_from_read(struct str text, struct stream_from *ret)
{
    if (text.len > 0 && text.at[0] == '-')
        return read_back(str_skip(text, 1), ret);
    bool now = str_equal(text, STR("now"));
    if (!now && !str_equal(text, STR("start")))
        return false;
    *ret = (struct stream_from){.kind = now ? FROM_NOW : FROM_START};
    return true;
}

uint64_t stream_from_pos(struct stream *s, const struct stream_from *from,
                         uint64_t now_ms)
{
    struct stream_state state;
    stream_look(s, &state);
    uint64_t back = from->amount;
    switch (from->kind) {
    case FROM_NOW:
        return state.tail;
    case FROM_START:
        return state.first;
    case FROM_BYTES:
        return stream_align(s, back < state.tail ? state.tail - back : 0);
    case FROM_MS:
        return stream_pos_at(s, back < now_ms ? now_ms - back : 0);
    }
    return state.tail;
}
