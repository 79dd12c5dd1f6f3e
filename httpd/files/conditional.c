#include "httpd/files/conditional.h"

#include "parser/entity_tag.h"
#include "parser/http_date.h"

#include <assert.h>

/* Whether the date can be read and the file changed after it. */
static bool modified_since(struct str date, const struct validators *v,
                           int64_t now_seconds, bool *ret_valid)
{
    int64_t seconds = 0;
    *ret_valid = date.at && v->modified_seconds != MODIFIED_UNKNOWN &&
                 http_date_read(date, now_seconds, &seconds);
    return *ret_valid && v->modified_seconds > seconds;
}

static bool precondition_fails(const struct conditions *c,
                               const struct validators *v, int64_t now_seconds)
{
    bool valid;
    if (c->if_match.at)
        return !entity_tag_list_has(c->if_match, v->etag, true);
    return modified_since(c->if_unmodified_since, v, now_seconds, &valid);
}

static bool client_has_it(const struct conditions *c,
                          const struct validators *v, int64_t now_seconds)
{
    bool valid;
    if (c->if_none_match.at)
        return entity_tag_list_has(c->if_none_match, v->etag, false);
    bool newer = modified_since(c->if_modified_since, v, now_seconds, &valid);
    return valid && !newer;
}

enum conditional conditional_check(const struct conditions *c,
                                   const struct validators *v,
                                   int64_t now_seconds)
{
    assert(v->etag.len >= 2);
    if (precondition_fails(c, v, now_seconds))
        return CONDITIONAL_FAILED;
    if (client_has_it(c, v, now_seconds))
        return CONDITIONAL_NOT_MODIFIED;
    return CONDITIONAL_SERVE;
}

bool conditional_range_holds(struct str if_range, const struct validators *v,
                             int64_t now_seconds)
{
    int64_t seconds;
    assert(v->etag.len >= 2);
    if (!if_range.at)
        return true;
    if (str_starts(if_range, STR("\"")) || str_starts(if_range, STR("W/")))
        return entity_tag_equal_strong(if_range, v->etag);
    return v->modified_seconds != MODIFIED_UNKNOWN &&
           http_date_read(if_range, now_seconds, &seconds) &&
           seconds == v->modified_seconds && seconds < now_seconds;
}
