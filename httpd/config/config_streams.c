#include "httpd/config/config_streams.h"

#include "buffers/str.h"
#include "httpd/streams/stream.h"
#include "httpd/streams/stream_from.h"

static bool is_empty(const char *text)
{
    return !text || text[0] == '\0';
}

static bool is_policy(const char *text)
{
    enum stream_policy policy;
    return stream_policy_read(str_from(text), &policy);
}

static bool are_policies(const struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!is_policy(list->at[i]))
            return false;
    }
    return true;
}

static const char *words_fault(const struct route_config *route)
{
    enum slow_reader slow_reader;
    struct stream_from from;
    struct str streams = str_from(route->streams);
    if (streams.len > 0 && !str_equal(streams, STR("strict")) &&
        !str_equal(streams, STR("friendly")))
        return "has streams that are no mount; write \"strict\" or "
               "\"friendly\"";
    if (!is_empty(route->policy) && !is_policy(route->policy))
        return "has a policy that is none; write drop-oldest, block, reject or "
               "grow";
    if (!are_policies(&route->policies))
        return "has policies with one that is none; list some of drop-oldest, "
               "block, reject and grow";
    if (!slow_reader_read(str_from(route->slow_reader), &slow_reader))
        return "has a slow_reader that is none; write disconnect or skip";
    if (!stream_from_read(str_from(route->burst), &from))
        return "has a burst that is none; write now, start, bytes like -64k or "
               "time like -10s";
    return NULL;
}

const char *config_streams_fault(const struct route_config *route)
{
    const char *wrong = words_fault(route);
    if (wrong)
        return wrong;
    if (route->stream_bytes > route->stream_bytes_max)
        return "has stream_bytes above stream_bytes_max; make it smaller";
    if (route->lag_hard > 0 && route->lag_soft > route->lag_hard)
        return "has lag_soft above lag_hard; make it smaller";
    if (!is_empty(route->tokens) && is_empty(route->streams))
        return "has tokens but no streams; they guard nothing else, take them "
               "out";
    return NULL;
}
