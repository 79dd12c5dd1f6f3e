/* target.h - the request target: which form, and what stands in it.
 *
 * Promise    one reading only: origin (/path?query), absolute (http or https,
 *            any letter case), authority (CONNECT only), * (OPTIONS only).
 *            A decoded path begins with '/', holds no NUL, no empty segment
 *            but the last, and no "." or ".." segment.
 * Threads    pure.
 * Source     RFC 9112 section 3.2, RFC 3986 sections 2.1 and 5.2.4. */
#ifndef PARSER_TARGET_H
#define PARSER_TARGET_H

#include "buffers/str.h"
#include "parser/request.h"
#include "parser/verdict.h"

/* Offsets count from the first byte of the target. */
struct target {
    enum target_form form;
    struct span authority; /* absolute and authority form */
    struct span path;      /* raw; may be empty in the absolute form */
    struct span query;     /* without '?' */
};

enum verdict_id target_split(struct str raw, enum method method,
                             struct target *ret);

/* Whether decoding would leave the path as it is. May answer false for such
 * a path, never true for another. */
bool target_path_is_plain(struct str path);

/* Decodes percent escapes, then resolves "." and ".." and joins slashes: an
 * escaped slash separates like a plain one, so no later step can read the
 * path in another way. raw begins with '/'; out has room for raw.len bytes. */
enum verdict_id target_decode_path(struct str raw, char *out, size_t *ret_len);

#endif
