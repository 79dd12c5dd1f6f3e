/* verdict.h - why a request was refused.
 *
 * Promise    every refusal has a name, a status and one line of text; all of
 *            them stand in verdict.def.
 * Threads    constants. */
#ifndef PARSER_VERDICT_H
#define PARSER_VERDICT_H

/* The text is a literal: one line, what was wrong. */
struct verdict {
    int status;       /* 0 while nothing is wrong */
    const char *name; /* "OBS_FOLD": a word for logs and tests */
    const char *text;
};

enum verdict_id {
    VERDICT_NONE,
#define VERDICT(name, status, text) VERDICT_##name,
#include "parser/verdict.def"
#undef VERDICT
    VERDICTS,
};

/* The verdict behind an id; all zero for VERDICT_NONE. */
struct verdict verdict_of(enum verdict_id id);

#endif
