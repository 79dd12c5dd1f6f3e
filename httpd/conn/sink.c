#include "httpd/conn/sink.h"

#include "httpd/limits.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/* Interrupted is like a short count: the next call tells more. */
static enum flow error_result(void)
{
    if (errno == EINTR)
        return FLOW_DONE;
    return errno == EAGAIN ? FLOW_AGAIN : FLOW_FAILED;
}

static enum flow plain_send(struct sink *s, const struct iovec *iov, int iov_n,
                            bool more, size_t *ret_sent)
{
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
    size_t want = 0;
    ssize_t n;
    for (int i = 0; i < iov_n; i++)
        want += iov[i].iov_len;
    if (iov_n == 1) {
        n = send(s->fd, iov->iov_base, iov->iov_len, flags);
    } else {
        struct msghdr msg = {.msg_iov = (struct iovec *)iov,
                             .msg_iovlen = (size_t)iov_n};
        n = sendmsg(s->fd, &msg, flags);
    }
    *ret_sent = n > 0 ? (size_t)n : 0;
    if (n < 0)
        return error_result();
    return (size_t)n == want ? FLOW_DONE : FLOW_AGAIN;
}

/* What sendfile() says of the socket, as against the file. */
static bool peer_error(void)
{
    return errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT ||
           errno == EAGAIN || errno == EINTR;
}

static enum flow plain_send_file(struct sink *s, const struct file_range *range,
                                 uint64_t bytes_max, uint64_t *ret_sent)
{
    uint64_t want = range->len < bytes_max ? range->len : bytes_max;
    off_t pos = (off_t)range->pos;
    ssize_t n = sendfile(s->fd, range->fd, &pos, (size_t)want);
    *ret_sent = n > 0 ? (uint64_t)n : 0;
    if (n == 0 || (n < 0 && !peer_error()))
        return FLOW_END;
    /* Less than asked is a full socket or the end of a file that shrank: the
     * next call tells. */
    return n > 0 ? FLOW_DONE : error_result();
}

/* Setting it, set or not, sends what MSG_MORE held back: tcp(7). */
static void plain_push(struct sink *s)
{
    int on = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

const struct sink_ops sink_plain_ops = {
    .send = plain_send,
    .send_file = plain_send_file,
    .push = plain_push,
};

static enum flow flush_file(struct sink *s, const struct file_range *range,
                            uint64_t bytes_max, uint64_t *ret_sent)
{
    if (s->warm)
        bytes_max = s->warm(s, range, bytes_max);
    if (bytes_max == 0) {
        if (s->ops->push)
            s->ops->push(s);
        return FLOW_FULL;
    }
    return s->ops->send_file(s, range, bytes_max, ret_sent);
}

/* One system call's worth from the head of the queue. */
static enum flow flush_head(struct sink *s, struct write_queue *q,
                            uint64_t file_max, uint64_t *ret_sent)
{
    struct iovec iov[FLUSH_IOV_MAX];
    struct write_view view;
    write_queue_peek(q, iov, FLUSH_IOV_MAX, &view);
    if (view.file)
        return flush_file(s, view.file, file_max, ret_sent);
    size_t sent = 0;
    enum flow r = s->ops->send(s, view.iov, view.iov_n, view.more, &sent);
    *ret_sent = sent;
    return r;
}

static enum flow flush_share(struct sink *s, struct write_queue *q,
                             uint64_t share, uint64_t *ret_sent)
{
    *ret_sent = 0;
    while (!write_queue_empty(q)) {
        uint64_t sent = 0;
        enum flow r = share ? flush_head(s, q, share, &sent) : FLOW_FULL;
        write_queue_skip(q, sent);
        *ret_sent += sent;
        share -= sent < share ? sent : share;
        if (r != FLOW_DONE)
            return r;
    }
    return FLOW_DONE;
}

enum flow sink_flush(struct sink *s, struct write_queue *q, uint64_t *ret_sent)
{
    uint64_t share = s->share ? knob_value(s->share) : TURN_FILE_BYTES;
    bool could_fill = q->file_len >= share;
    enum flow r = flush_share(s, q, share, ret_sent);
    bool cold = r == FLOW_FULL && *ret_sent < share;
    if (s->share && could_fill && !cold)
        knob_observe_size(s->share, share, *ret_sent);
    return r;
}
