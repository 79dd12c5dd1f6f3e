#include "httpd/conn/conn_log.h"

#include "httpd/http/exchange.h"
#include "httpd/loop/listener.h"
#include "httpd/observe/access_log.h"
#include "httpd/observe/log.h"

#include <string.h>

static const struct {
    const char *word;
    const char *text;
} reasons[] = {
#define REASON(name, word, text) [CLOSE_##name] = {word, text},
#include "httpd/conn/close_reason.def"
#undef REASON
};

static void peer_write(const struct conn *c, char *out)
{
    struct listen_address a = {.addr_len = sizeof c->peer};
    memcpy(&a.addr, &c->peer, sizeof c->peer);
    listen_address_write(&a, out, CONN_PEER_BYTES);
}

static bool may_log(struct worker *w)
{
    if (w->log_lines >= CONN_LOG_LINES_MAX) {
        w->log_lines_left_out++;
        return false;
    }
    w->log_lines++;
    return true;
}

void conn_log_sweep(struct worker *w)
{
    if (w->log_lines_left_out > 0)
        log_line(LOG_WARN, "%zu lines about connections left out",
                 w->log_lines_left_out);
    w->log_lines = 0;
    w->log_lines_left_out = 0;
}

void conn_log_refusal(struct conn *c, int status, const char *text)
{
    char peer[CONN_PEER_BYTES];
    if (!may_log(c->worker))
        return;
    peer_write(c, peer);
    log_line(LOG_WARN, "%s %d %s", peer, status, text);
}

void conn_log_note(struct conn *c, const char *text)
{
    char peer[CONN_PEER_BYTES];
    if (!may_log(c->worker))
        return;
    peer_write(c, peer);
    log_line(LOG_WARN, "%s %s", peer, text);
}

static bool ended_well(enum close_reason reason)
{
    switch (reason) {
    case CLOSE_BODY_TOO_SLOW:
    case CLOSE_READER_TOO_SLOW:
    case CLOSE_LAGGED:
    case CLOSE_BROKEN:
    case CLOSE_FILE_SHRANK:
    case CLOSE_NO_MEMORY:
        return false;
    default:
        return true;
    }
}

void conn_log_close(struct conn *c)
{
    char peer[CONN_PEER_BYTES];
    if (ended_well(c->closing) || c->told || !may_log(c->worker))
        return;
    peer_write(c, peer);
    log_line(LOG_WARN, "%s %s: %s", peer, reasons[c->closing].word,
             reasons[c->closing].text);
}

void conn_log_access(struct conn *c, uint64_t unsent)
{
    struct exchange *x = c->x;
    struct worker *w = c->worker;
    char peer[CONN_PEER_BYTES];
    if (!w->access_log || x->status == 0)
        return;
    peer_write(c, peer);
    *strrchr(peer, ':') = '\0';
    access_log_add(
        w->access_log,
        &(struct access_entry){
            .peer = peer,
            .seconds = w->now_seconds,
            .method = x->req.target.len ? method_name(x->req.method) : "-",
            .target = request_str(&x->req, x->req.target),
            .minor = x->req.minor,
            .status = x->status,
            .body_bytes = x->sent > unsent ? x->sent - unsent : 0,
            .referer = request_header_named(&x->req, STR("Referer")),
            .user_agent = request_header(&x->req, HEADER_USER_AGENT),
            .took_ms = w->now_ms - x->started_ms,
        });
}
