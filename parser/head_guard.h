/* head_guard.h - reads a request's head line by line and refuses what has two
 * readings.
 *
 *      line     scanned
 *       v          v
 *      [GET / HTTP/1.1\r\nHost: a\r\nAcc....      bytes of the head so far
 *
 * Promise    a line is judged when it is whole, in order; limits, and bytes
 *            that no method begins with, are judged at once. So the verdict
 *            does not depend on how the bytes were cut up.
 * Sets       req->method, minor, target, headers, headers_n and first.
 * Cost       memchr() for the line's end, one table walk for the name, eight
 *            bytes a step for the value.
 * Threads    one at a time. */
#ifndef PARSER_HEAD_GUARD_H
#define PARSER_HEAD_GUARD_H

#include "parser/request.h"
#include "parser/target.h"
#include "parser/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct head_guard {
    size_t line;          /* where the current line begins */
    size_t scanned;       /* the current line does not end before this */
    size_t begin;         /* of the request line */
    unsigned empty_lines; /* seen before it */
    bool in_fields;       /* the request line has been read */
    struct target target; /* set with the request line */
};

void head_guard_init(struct head_guard *guard);

/* Goes on over the head so far: area begins with its first byte each time,
 * and may lie elsewhere each time. *ret_end is the length of the head with
 * its empty line once that has come, else 0. */
enum verdict_id head_guard_scan(struct head_guard *guard, struct request *req,
                                struct str area, size_t *ret_end);

#endif
