#include "parser/verdict.h"

#include <assert.h>
#include <stddef.h>

static const struct verdict table[VERDICTS] = {
    [VERDICT_NONE] = {0, NULL, NULL},
#define VERDICT(name, status, text) [VERDICT_##name] = {status, #name, text},
#include "parser/verdict.def"
#undef VERDICT
};

struct verdict verdict_of(enum verdict_id id)
{
    assert(id < VERDICTS);
    return table[id];
}
