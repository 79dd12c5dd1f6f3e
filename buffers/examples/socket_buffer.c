#include "buffers/socket_buffer.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* How large the kernel's buffers are, and how full. */
int main(void)
{
    int pair[2];
    char bytes[1000] = {0};
    struct socket_fill fill;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
        !socket_buffer_set(pair[0], SOCKET_SEND, 65536) ||
        send(pair[0], bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return 1;
    if (socket_fill(pair[0], &fill))
        printf("at most %d bytes wait to be sent\n", (int)fill.send_cap);
    if (socket_fill(pair[1], &fill))
        printf("%d bytes wait to be read\n", (int)fill.in_bytes);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
