#include "httpd/conn/socket_tuning.h"

#include "buffers/socket_buffer.h"
#include "httpd/config/config.h"

void socket_tune(int fd, const struct route_config *to,
                 const struct route_config *from)
{
    if (to->sndbuf && (!from || from->sndbuf != to->sndbuf))
        socket_buffer_set(fd, SOCKET_SEND, to->sndbuf);
    if (to->rcvbuf && (!from || from->rcvbuf != to->rcvbuf))
        socket_buffer_set(fd, SOCKET_RECEIVE, to->rcvbuf);
    if (to->notsent_lowat &&
        (!from || from->notsent_lowat != to->notsent_lowat))
        socket_unsent_limit_set(fd, to->notsent_lowat);
    /* Zero gives this one back to the system's default. */
    if (!to->notsent_lowat && from && from->notsent_lowat)
        socket_unsent_limit_set(fd, 0);
}
