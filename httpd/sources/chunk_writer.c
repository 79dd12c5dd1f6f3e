#include "httpd/sources/chunk_writer.h"

#include "httpd/http/exchange.h"
#include "parser/number.h"

#include <assert.h>

enum flow chunk_writer_begin(struct chunk_writer *w, struct exchange *x,
                             uint64_t size)
{
    char head[CHUNK_FRAME_BYTES_MAX];
    size_t n;

    assert(w->left == 0);
    assert(size > 0); /* a chunk of 0 bytes would end the body */
    w->left = size;
    if (x->framing != FRAMING_CHUNKED)
        return FLOW_DONE;
    n = number_write_hex(head, size);
    head[n++] = '\r';
    head[n++] = '\n';
    return exchange_push_raw(x, (struct str){head, n});
}

enum flow chunk_writer_push(struct chunk_writer *w, struct exchange *x,
                            struct str piece)
{
    enum flow flow;

    assert(piece.len > 0);
    assert(piece.len <= w->left);
    w->left -= piece.len;
    if (x->framing != FRAMING_CHUNKED)
        return exchange_push(x, piece);
    flow = exchange_push_raw(x, piece);
    if (flow == FLOW_DONE && w->left == 0)
        flow = exchange_push_raw(x, STR("\r\n"));
    return flow;
}
