/* slow_fs - a disk that can be paused: a folder seen through FUSE.
 *
 *      slow_fs SOURCE MOUNT FLAG [NAMES_FLAG]      (absolute paths)
 *
 * Shows SOURCE at MOUNT, read-only, in the foreground. While a file FLAG
 * exists, every read waits; while NAMES_FLAG does, all that looks up or opens
 * a name. What was read stays in the page cache, so this looks to a server
 * like any disk that hangs.
 *
 * Promise    ends and unmounts at SIGTERM, also in mid-pause, and when the
 *            process that started it ends. Prints "mounted" when it is there.
 * Limits     READS_MAX operations may hang before other operations do.
 * Not for    libsupport: it is a program of its own, on libfuse3. */
#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <fuse3/fuse_lowlevel.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READS_MAX "max_threads=256,max_idle_threads=256"
#define KEEP_S    3600.0 /* what the kernel knows of names and sizes */
#define POLL_NS   5000000L

static const char *source;
static const char *flag;
static const char *names_flag; /* NULL: names never wait */

static bool path_of(const char *name, char *path, size_t len)
{
    int n = snprintf(path, len, "%s%s", source, name);
    return n > 0 && (size_t)n < len;
}

/* False: the end came first, or that of the process that asks: it could not
 * end while an operation of its own is under way. */
static bool await_flag(const char *path)
{
    const struct timespec nap = {0, POLL_NS};
    struct fuse_session *session = fuse_get_session(fuse_get_context()->fuse);
    while (path && access(path, F_OK) == 0) {
        if (fuse_session_exited(session) || fuse_interrupted())
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

static int slow_getattr(const char *name, struct stat *st,
                        struct fuse_file_info *info)
{
    char path[4096];
    (void)info;
    if (!path_of(name, path, sizeof path))
        return -ENAMETOOLONG;
    if (!await_flag(names_flag))
        return -EINTR;
    return stat(path, st) == 0 ? 0 : -errno;
}

static int slow_open(const char *name, struct fuse_file_info *info)
{
    char path[4096];
    if (!path_of(name, path, sizeof path))
        return -ENAMETOOLONG;
    if (!await_flag(names_flag))
        return -EINTR;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    info->fh = (uint64_t)fd;
    info->keep_cache = 1;
    return 0;
}

static int slow_release(const char *name, struct fuse_file_info *info)
{
    (void)name;
    close((int)info->fh);
    return 0;
}

static int slow_read(const char *name, char *to, size_t len, off_t pos,
                     struct fuse_file_info *info)
{
    (void)name;
    if (!await_flag(flag))
        return -EIO;
    ssize_t n = pread((int)info->fh, to, len, pos);
    return n >= 0 ? (int)n : -errno;
}

static void *slow_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
    (void)conn;
    config->kernel_cache = 1;
    config->attr_timeout = KEEP_S;
    config->entry_timeout = KEEP_S;
    puts("mounted");
    fflush(stdout);
    return NULL;
}

static const struct fuse_operations operations = {
    .init = slow_init,
    .getattr = slow_getattr,
    .open = slow_open,
    .release = slow_release,
    .read = slow_read,
};

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: slow_fs SOURCE MOUNT FLAG [NAMES_FLAG]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    source = argv[1];
    flag = argv[3];
    names_flag = argv[4];
    char program[] = "slow_fs";
    char foreground[] = "-f";
    char o[] = "-o";
    char options[] = "ro,fsname=slow_fs," READS_MAX;
    char *arguments[] = {program, foreground, o, options, argv[2], NULL};
    return fuse_main(5, arguments, &operations, NULL);
}
