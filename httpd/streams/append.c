#include "httpd/streams/append.h"

#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/loop/worker.h"
#include "httpd/streams/answers.h"
#include "httpd/streams/hub.h"
#include "parser/json_messages.h"
#include "parser/media_type.h"

#include <stdlib.h>

static enum body_fault read_json(struct messages *m,
                                 const struct gather_turn *turn)
{
    struct json_messages json;
    switch (json_messages_open(&json, turn->body, turn->len, &m->fault_pos)) {
    case JSON_DONE:
        break;
    case JSON_EMPTY:
        return BODY_EMPTY_ARRAY;
    case JSON_MALFORMED:
    case JSON_TOO_DEEP:
        return BODY_BAD_JSON;
    }
    if (json.n > APPEND_MESSAGES_MAX)
        return BODY_TOO_MANY;
    m->many = malloc(json.n * sizeof *m->many);
    if (!m->many)
        return BODY_NO_MEMORY;
    while (m->n < json.n && json_messages_next(&json, &m->many[m->n]))
        m->n++;
    return BODY_FINE;
}

enum body_fault messages_read(struct messages *m, enum stream_kind kind,
                              const struct gather_turn *turn)
{
    *m = (struct messages){.one = {turn->body, turn->len}};
    if (turn->len == 0)
        return BODY_FINE;
    if (kind == STREAM_JSON)
        return read_json(m, turn);
    m->n = 1;
    return BODY_FINE;
}

void messages_fini(struct messages *m)
{
    free(m->many);
    m->many = NULL;
}

void answer_body_fault(struct exchange *x, const struct messages *m,
                       enum body_fault fault)
{
    switch (fault) {
    case BODY_FINE:
        return;
    case BODY_EMPTY_ARRAY:
        response_error(x, 400, "an empty array holds no message to append");
        return;
    case BODY_BAD_JSON:
        response_error(x, 400,
                       "the body is no JSON (near byte %zu); nothing "
                       "was appended",
                       m->fault_pos);
        return;
    case BODY_TOO_MANY:
        response_error(x, 413, "the array has more than %u messages",
                       APPEND_MESSAGES_MAX);
        return;
    case BODY_NO_MEMORY:
        response_error(x, 503, "short of memory; nothing was appended");
        return;
    }
}

void answer_no_body(struct exchange *x)
{
    response_error(x, 400,
                   "there is no body to append; to close the stream send "
                   "Stream-Closed: true");
}

unsigned append_wait_ms(const struct stream *s)
{
    uint64_t ms = stream_bounds(s)->slow_after_ms + APPEND_EVICT_MS;
    return ms > APPEND_WAIT_MS ? (unsigned)ms : APPEND_WAIT_MS;
}

/* What will be refused for another reason is not read as JSON first. */
static bool is_refused_anyway(struct stream *s, const struct append *a)
{
    struct stream_state now;
    stream_look(s, &now);
    return now.closed || now.gone ||
           (a->content_type.at &&
            !media_type_same(a->content_type, stream_content_type(s)));
}

/* The body as messages of such a stream; false: what is wrong was answered. */
static bool read_messages(struct exchange *x, struct stream *s,
                          struct append *a, const struct gather_turn *turn,
                          struct messages *m)
{
    enum stream_kind kind = stream_kind(s);
    if (kind == STREAM_JSON && is_refused_anyway(s, a))
        kind = STREAM_BINARY;
    enum body_fault fault = messages_read(m, kind, turn);
    answer_body_fault(x, m, fault);
    a->messages = m->many ? m->many : &m->one;
    a->messages_n = m->n;
    return fault == BODY_FINE;
}

static enum append_result append_now(struct exchange *x, struct stream *s,
                                     struct append *a,
                                     struct append_outcome *ret)
{
    struct worker *w = x->worker;
    a->pool = &w->pool;
    a->now_ms = hub_now_ms(w->hub);
    return stream_append(s, a, ret);
}

static enum gather_step append_messages(struct exchange *x, struct stream *s,
                                        struct append *a,
                                        struct gather_turn *turn)
{
    struct append_outcome outcome;
    enum append_result r = append_now(x, s, a, &outcome);
    if (r == APPEND_FULL && !turn->timed_out) {
        turn->stream = stream_ref(s);
        turn->wait_ms = append_wait_ms(s);
        turn->need = outcome.need;
        return GATHER_WAIT;
    }
    answer_append(x, s, a, r, &outcome);
    return GATHER_ANSWERED;
}

enum gather_step append_body(struct exchange *x, struct stream *s,
                             struct append *a, struct gather_turn *turn)
{
    struct messages m = {0};
    enum gather_step step = GATHER_ANSWERED;
    if (read_messages(x, s, a, turn, &m))
        step = append_messages(x, s, a, turn);
    messages_fini(&m);
    return step;
}

/* The stream that has the name already, if there is one; else answered. */
static struct stream *append_and_enter(struct exchange *x, struct stream *s,
                                       struct append *a)
{
    struct append_outcome outcome;
    struct stream *there = NULL;
    enum append_result r = append_now(x, s, a, &outcome);
    if (r != APPEND_DONE) {
        answer_append(x, s, a, r, &outcome);
        return NULL;
    }
    enum registry_result entry =
        registry_add(hub_registry(x->worker->hub), s, a->now_ms, &there);
    if (entry == REGISTRY_EXISTS)
        return there;
    if (entry == REGISTRY_CREATED)
        answer_append(x, s, a, r, &outcome);
    else
        answer_registry(x, entry, true);
    stream_unref(there);
    return NULL;
}

enum gather_step append_first(struct exchange *x, struct stream *s,
                              struct append *a, struct gather_turn *turn)
{
    struct messages m = {0};
    struct stream *there = NULL;
    if (read_messages(x, s, a, turn, &m))
        there = append_and_enter(x, s, a);
    messages_fini(&m);
    if (!there)
        return GATHER_ANSWERED;
    /* It may be of another kind: its messages are read anew. */
    enum gather_step step = append_body(x, there, a, turn);
    stream_unref(there);
    return step;
}
