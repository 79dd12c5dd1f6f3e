#include "httpd/streams/reader.h"

#include "httpd/streams/hub_inner.h"

/* The response ends in good order. */
static void end_well(struct reader *r, unsigned code, const char *reason)
{
    struct bytes *out = &r->tap->hub->rendered;
    if (r->finished || !reader_leave_view(r) || r->finished)
        return;
    if (reader_ends_by_close(r)) {
        reader_drop(r, reason);
        return;
    }
    /* A clean end of bare bytes would say that there are no more. */
    r->cut = r->style.form == RENDER_RAW;
    bytes_reset(out);
    if (r->cut) {
        r->finished = true;
        r->outlet->ops->wake(r->outlet);
        return;
    }
    if (render_end(&r->style, &r->state, code, reason, out) != FLOW_DONE ||
        reader_say(r, bytes_view(out)) != FLOW_DONE) {
        reader_drop(r, reason);
        return;
    }
    r->finished = true;
    r->outlet->ops->wake(r->outlet);
}

static void say_heartbeat(struct reader *r, uint64_t now_ms)
{
    struct bytes *out = &r->tap->hub->rendered;
    bool silent = r->heartbeat_ms > 0 && r->place == READER_BEHIND &&
                  write_queue_empty(r->outlet->out) && !r->state.in_message &&
                  now_ms >= r->moved_ms + r->heartbeat_ms;
    if (!silent)
        return;
    r->moved_ms = now_ms;
    bytes_reset(out);
    if (render_heartbeat(&r->style, &r->state, out) == FLOW_DONE &&
        out->len > 0)
        (void)reader_say(r, bytes_view(out));
}

static void note_progress(struct reader *r, uint64_t now_ms)
{
    uint64_t moved = r->outlet->direct_bytes + r->pos;
    if (moved == r->moved_bytes)
        return;
    r->moved_bytes = moved;
    r->moved_ms = now_ms;
    r->stuck_since_ms = 0;
}

/* Behind by too much, or for too long. */
static bool lags(struct reader *r, uint64_t lag, uint64_t now_ms)
{
    if (r->lag_hard > 0 && lag > r->lag_hard)
        return true;
    if (r->lag_soft == 0 || lag <= r->lag_soft) {
        r->soft_since_ms = 0;
        return false;
    }
    if (r->soft_since_ms == 0)
        r->soft_since_ms = now_ms;
    return now_ms - r->soft_since_ms >= r->lag_soft_ms;
}

static void say_why(struct reader *r, const char *what, uint64_t lag)
{
    char text[TAP_TEXT_BYTES];
    tap_lag_text(r->tap, what, lag, text);
    reader_drop(r, text);
}

/* Under policy block a reader without progress would stop all. One that had
 * nothing to get for a while is given all of the time. */
static bool stops_others(struct reader *r, uint64_t now_ms)
{
    if (r->stuck_since_ms == 0)
        r->stuck_since_ms = now_ms;
    return tap_stops_publishers(r->tap, r->stuck_since_ms, now_ms);
}

static void check_lag(struct reader *r, uint64_t now_ms)
{
    struct stream_state now;
    uint64_t pos = reader_floor(r);
    stream_look(r->tap->stream, &now);
    uint64_t lag = now.tail > pos ? now.tail - pos : 0;
    bool bears = reader_skips(r);
    /* Who is blocked has what comes next in its view, but not what comes behind
     * that when the view itself stands still. */
    uint64_t next = r->place == READER_BLOCKED ? r->view->pos : pos;
    bool lapped = next < now.first;
    if (lag == 0) {
        r->soft_since_ms = 0;
        r->stuck_since_ms = 0;
    } else if (stops_others(r, now_ms)) {
        say_why(r, "no progress while a publisher waits", lag);
    } else if (lapped && !bears) {
        reader_drop_lapped(r, next, now.first);
    } else if (lags(r, lag, now_ms)) {
        r->soft_since_ms = 0;
        if (!bears)
            say_why(r, "too slow", lag);
        else if (reader_leave_view(r))
            r->skips = true;
    }
}

void reader_tick(struct reader *r, uint64_t now_ms)
{
    if (r->outlet->worker->draining) {
        end_well(r, 1001, "the server is going away");
        return;
    }
    if (r->end_at_ms > 0 && now_ms >= r->end_at_ms) {
        end_well(r, 1000, "ended; connect again");
        return;
    }
    if (r->place == READER_TAIL)
        return;
    note_progress(r, now_ms);
    check_lag(r, now_ms);
    say_heartbeat(r, now_ms);
}
