#include "buffers/file_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void count(void *arg, struct str view)
{
    for (size_t i = 0; i < view.len; i++)
        *(volatile int *)arg += view.at[i] == '\n';
}

/* Counts lines in a mapping, and once more after the file was cut. */
int main(void)
{
    char path[] = "/tmp/example-XXXXXX";
    struct file_map m;
    int lines = 0, fd = mkstemp(path);
    if (fd < 0 || unlink(path) != 0 || write(fd, "one\ntwo\n", 8) != 8 ||
        !file_map_open(&m, fd, 0, SIZE_MAX))
        return 1;
    struct str all = {m.at, m.len};
    if (file_map_read(&m, all, count, &lines) == FLOW_DONE)
        printf("%d lines\n", lines);
    if (file_map_copy(&m, 4, 3, path) == FLOW_DONE)
        printf("the second is %.3s\n", path);
    if (ftruncate(fd, 0) == 0 &&
        file_map_read(&m, all, count, &lines) == FLOW_END)
        printf("the file was cut\n");
    file_map_close(&m);
    close(fd);
    return 0;
}
