#include "buffers/bytes.h"

#include <stdio.h>

/* A line that never grows beyond 64 bytes, whoever sends it. */
int main(void)
{
    char flood[100] = {0};
    struct bytes line;
    bytes_init(&line, 64);
    bytes_append(&line, "hello", 5);
    bytes_printf(&line, ", reader %d", 7);
    printf("%.*s\n", (int)line.len, line.data);
    if (bytes_append(&line, flood, sizeof flood) == FLOW_FULL)
        printf("full: it still holds %zu bytes\n", line.len);
    bytes_skip(&line, 7);
    printf("%.*s\n", (int)line.len, line.data);
    bytes_fini(&line);
    return 0;
}
