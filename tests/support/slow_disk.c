#include "tests/support/slow_disk.h"

#include "tests/support/server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void slow_fs(char *path)
{
    const char *build = getenv("SLUICE_BUILD");
    snprintf(path, SLOW_DISK_PATH_BYTES, "%s/tests/support/slow_fs",
             build && *build ? build : "build");
}

/* Only calls that are safe between fork and exec. */
static void run(const struct slow_disk *d, const char *program, int out)
{
    const char *names = d->names_flag[0] ? d->names_flag : NULL;
    if (dup2(out, 1) < 0)
        _exit(120);
    execl(program, "slow_fs", d->source, d->mount, d->flag, names,
          (char *)NULL);
    _exit(121);
}

static bool is_mounted(int out)
{
    char line[16] = "";
    struct pollfd p = {out, POLLIN, 0};
    return poll(&p, 1, SLOW_DISK_MS) > 0 &&
           read(out, line, sizeof line - 1) > 0 &&
           strncmp(line, "mounted", 7) == 0;
}

bool slow_disk_start(struct slow_disk *d)
{
    char program[SLOW_DISK_PATH_BYTES];
    int out[2];
    slow_fs(program);
    if (access("/dev/fuse", R_OK | W_OK) != 0 || access(program, X_OK) != 0 ||
        pipe2(out, O_CLOEXEC) != 0)
        return false;
    d->pid = fork();
    if (d->pid == 0)
        run(d, program, out[1]);
    close(out[1]);
    bool mounted = d->pid > 0 && is_mounted(out[0]);
    close(out[0]);
    if (!mounted)
        slow_disk_stop(d);
    return mounted;
}

void slow_disk_stop(struct slow_disk *d)
{
    if (d->pid <= 0)
        return;
    kill(d->pid, SIGTERM);
    for (unsigned ms = 0; ms < SLOW_DISK_MS; ms += 10) {
        if (waitpid(d->pid, NULL, WNOHANG) == d->pid) {
            d->pid = 0;
            return;
        }
        server_sleep(10);
    }
    kill(d->pid, SIGKILL);
    waitpid(d->pid, NULL, 0);
    umount2(d->mount, MNT_DETACH);
    d->pid = 0;
}
