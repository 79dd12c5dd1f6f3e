#include "buffers/socket_buffer.h"

#include <assert.h>
#include <limits.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int option_of(enum socket_direction d)
{
    assert(d == SOCKET_SEND || d == SOCKET_RECEIVE);
    return d == SOCKET_SEND ? SO_SNDBUF : SO_RCVBUF;
}

static bool set(int fd, int level, int option, uint64_t bytes)
{
    int value = bytes > INT_MAX ? INT_MAX : (int)bytes;
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool socket_buffer_set(int fd, enum socket_direction d, uint64_t bytes)
{
    return set(fd, SOL_SOCKET, option_of(d), bytes / 2);
}

bool socket_buffer_get(int fd, enum socket_direction d, uint64_t *ret_bytes)
{
    int value = 0;
    socklen_t len = sizeof value;
    *ret_bytes = 0;
    if (getsockopt(fd, SOL_SOCKET, option_of(d), &value, &len) != 0)
        return false;
    *ret_bytes = value > 0 ? (uint64_t)value : 0;
    return true;
}

bool socket_unsent_limit_set(int fd, uint64_t bytes)
{
    return set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

static bool count(int fd, unsigned long request, uint64_t *ret_bytes)
{
    int value = 0;
    *ret_bytes = 0;
    if (ioctl(fd, request, &value) != 0)
        return false;
    *ret_bytes = value > 0 ? (uint64_t)value : 0;
    return true;
}

bool socket_unacknowledged(int fd, uint64_t *ret_bytes)
{
    return count(fd, SIOCOUTQ, ret_bytes);
}

static void fill_tcp(int fd, struct socket_fill *fill)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return;
    fill->rtt_us = info.tcpi_rtt;
    fill->window_bytes = (uint64_t)info.tcpi_snd_cwnd * info.tcpi_snd_mss;
    fill->delivery_rate = info.tcpi_delivery_rate;
    fill->retransmits = info.tcpi_total_retrans;
}

bool socket_fill(int fd, struct socket_fill *ret_fill)
{
    *ret_fill = (struct socket_fill){0};
    if (!socket_buffer_get(fd, SOCKET_SEND, &ret_fill->send_cap) ||
        !socket_buffer_get(fd, SOCKET_RECEIVE, &ret_fill->receive_cap))
        return false;
    count(fd, SIOCINQ, &ret_fill->in_bytes);
    count(fd, SIOCOUTQ, &ret_fill->out_bytes);
    count(fd, SIOCOUTQNSD, &ret_fill->unsent_bytes);
    fill_tcp(fd, ret_fill);
    return true;
}

bool socket_set_user_timeout(int fd, uint64_t ms)
{
    unsigned value = ms > INT_MAX ? INT_MAX : (unsigned)ms;
    return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value,
                      sizeof value) == 0;
}

bool socket_set_keepalive(int fd, uint64_t idle_ms)
{
    int on = 1;
    uint64_t seconds = idle_ms / 1000 > 0 ? idle_ms / 1000 : 1;
    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0 &&
           set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds) &&
           set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
}
