/* encoding.h - which content coding of a file suits a client best.
 *
 * Promise    the highest weight wins; of equal weights the later one in enum
 *            coding. Without an Accept-Encoding field, and when it refuses
 *            everything there is, the file goes out as it is: the RFC allows
 *            that beside 406, and a usable answer beats an error.
 * Threads    pure.
 * Source     RFC 9110 sections 12.4.1 and 12.5.3. */
#ifndef HTTPD_FILES_ENCODING_H
#define HTTPD_FILES_ENCODING_H

#include "buffers/str.h"

enum coding {
    CODING_IDENTITY,
    CODING_GZIP_MADE, /* compressed on the fly */
    CODING_GZIP,      /* the last three lie beside the file */
    CODING_ZSTD,
    CODING_BR,
    CODINGS,
};

#define CODING_BIT(coding) (1u << (coding))

/* Chooses among the offered codings, a set of CODING_BIT() that holds
 * identity. field.at is NULL when the request has no such field. An identity
 * that the field does not name is acceptable, but liked least. */
enum coding encoding_choose(struct str field, unsigned offered);

/* As Content-Encoding has it; "identity" for the first. */
struct str encoding_name(enum coding c);

/* What a file's name ends with, ".br"; empty where no file is meant. */
struct str encoding_extension(enum coding c);

/* What sets the entity tags of one file's codings apart: "-br". */
struct str encoding_tag(enum coding c);

#endif
