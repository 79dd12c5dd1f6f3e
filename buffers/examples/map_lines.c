/* map_lines [-w] FILE - counts the lines of a file through a mapping.
 *
 * The file may be cut at any moment: what was counted by then is told, and the
 * exit code is 3. With -w it waits for a line on standard input when the file
 * is mapped, so that there is time to cut it. */
#include "buffers/file_map.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_CUT 3

/* Volatile, for the reader may be left in the middle of its work. */
struct count {
    volatile size_t lines;
};

static void count_lines(void *arg, struct str view)
{
    struct count *c = arg;
    const char *end = view.at + view.len;
    const char *at = view.at;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        c->lines++;
        at++;
    }
}

static int count_file(int fd, bool wait_for_a_line)
{
    struct count c = {0};
    struct file_map m;
    char line[64];
    if (!file_map_open(&m, fd, 0, SIZE_MAX)) {
        perror("map_lines");
        return 1;
    }
    if (wait_for_a_line && !fgets(line, sizeof line, stdin))
        return 1;
    struct str all = {m.at, m.len};
    enum flow r = file_map_read(&m, all, count_lines, &c);
    printf("%zu lines%s\n", c.lines,
           r == FLOW_END ? ", then the file was cut" : "");
    file_map_close(&m);
    return r == FLOW_END ? EXIT_CUT : 0;
}

int main(int argc, char **argv)
{
    bool waits = argc > 1 && strcmp(argv[1], "-w") == 0;
    if (argc != (waits ? 3 : 2)) {
        fprintf(stderr, "usage: map_lines [-w] FILE\n");
        return 2;
    }
    int fd = open(argv[argc - 1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(argv[argc - 1]);
        return 1;
    }
    int result = count_file(fd, waits);
    close(fd);
    return result;
}
