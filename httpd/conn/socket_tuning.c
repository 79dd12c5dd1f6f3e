#include "httpd/conn/socket_tuning.h"

#include "httpd/config/config.h"
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void set(int fd, int level, int option, uint64_t bytes)
{
    int value = bytes > INT_MAX ? INT_MAX : (int)bytes;
    setsockopt(fd, level, option, &value, sizeof value);
}

void socket_tune(int fd, const struct route_config *to,
                 const struct route_config *from)
{
    /* The kernel doubles the number that it is given, for its own overhead. */
    if (to->sndbuf && (!from || from->sndbuf != to->sndbuf))
        set(fd, SOL_SOCKET, SO_SNDBUF, to->sndbuf / 2);
    if (to->rcvbuf && (!from || from->rcvbuf != to->rcvbuf))
        set(fd, SOL_SOCKET, SO_RCVBUF, to->rcvbuf / 2);
    if (to->notsent_lowat &&
        (!from || from->notsent_lowat != to->notsent_lowat))
        set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, to->notsent_lowat);
    /* Zero gives this one back to the system's default. */
    if (!to->notsent_lowat && from && from->notsent_lowat)
        set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0);
}
