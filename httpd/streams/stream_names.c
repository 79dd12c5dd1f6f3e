#include "httpd/streams/stream.h"

#include <assert.h>

static const char *const policies[] = {
    [POLICY_DROP_OLDEST] = "drop-oldest",
    [POLICY_BLOCK] = "block",
    [POLICY_REJECT] = "reject",
    [POLICY_GROW] = "grow",
};

static const char *const slow_readers[] = {
    [SLOW_DISCONNECT] = "disconnect",
    [SLOW_SKIP] = "skip",
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Its index in names, or names_n. */
static size_t find(const char *const *names, size_t names_n, struct str text)
{
    size_t i = 0;
    while (i < names_n && !str_equal(str_from(names[i]), text))
        i++;
    return i;
}

const char *stream_policy_name(enum stream_policy p)
{
    assert(p < COUNT_OF(policies));
    return policies[p];
}

bool stream_policy_read(struct str text, enum stream_policy *ret)
{
    size_t i = find(policies, COUNT_OF(policies), text);
    if (i == COUNT_OF(policies))
        return false;
    *ret = (enum stream_policy)i;
    return true;
}

bool slow_reader_read(struct str text, enum slow_reader *ret)
{
    size_t i = find(slow_readers, COUNT_OF(slow_readers), text);
    if (i == COUNT_OF(slow_readers))
        return false;
    *ret = (enum slow_reader)i;
    return true;
}
