#include "httpd/files/encoding.h"

#include "parser/accept.h"

#include <assert.h>

static const struct {
    const char *name;
    const char *extension;
    const char *tag;
} codings[CODINGS] = {
    [CODING_IDENTITY] = {"identity", "", ""},
    [CODING_GZIP_MADE] = {"gzip", "", "-gz"},
    [CODING_GZIP] = {"gzip", ".gz", "-gzip"},
    [CODING_ZSTD] = {"zstd", ".zst", "-zst"},
    [CODING_BR] = {"br", ".br", "-br"},
};

enum coding encoding_choose(struct str field, unsigned offered)
{
    assert(offered & CODING_BIT(CODING_IDENTITY));
    enum coding best = CODING_IDENTITY;
    if (!field.at)
        return best;
    int best_weight = accept_encoding_weight(field, STR("identity"));
    for (unsigned c = CODING_GZIP_MADE; c < CODINGS; c++) {
        if (!(offered & CODING_BIT(c)))
            continue;
        int weight = accept_encoding_weight(field, encoding_name(c));
        if (weight > 0 && weight >= best_weight) {
            best = c;
            best_weight = weight;
        }
    }
    return best;
}

struct str encoding_name(enum coding c)
{
    assert(c < CODINGS);
    return str_from(codings[c].name);
}

struct str encoding_extension(enum coding c)
{
    assert(c < CODINGS);
    return str_from(codings[c].extension);
}

struct str encoding_tag(enum coding c)
{
    assert(c < CODINGS);
    return str_from(codings[c].tag);
}
