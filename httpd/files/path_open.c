#include "httpd/files/path_open.h"

#include "httpd/observe/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* EAGAIN says that a rename raced with the walk; EINTR, a signal. */
#define OPEN_TRIES_MAX 4

bool path_hidden(struct str path)
{
    while (path.len > 0) {
        const char *slash = memchr(path.at, '/', path.len);
        size_t len = slash ? (size_t)(slash - path.at) : path.len;
        struct str segment = {path.at, len};
        if (len > 0 && path.at[0] == '.' &&
            !str_equal(segment, STR(".well-known")))
            return true;
        path = str_skip(path, slash ? len + 1 : len);
    }
    return false;
}

static int open_beneath(int root_fd, const char *name, enum path_use use)
{
    const struct open_how how = {
        .flags =
            O_CLOEXEC | (use == PATH_LOOK ? (uint64_t)O_PATH
                                          : O_RDONLY | O_NONBLOCK | O_NOCTTY),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -1;
    for (int i = 0; i < OPEN_TRIES_MAX && fd < 0; i++) {
        fd = (int)syscall(SYS_openat2, root_fd, name, &how, sizeof(how));
        if (fd < 0 && errno != EAGAIN && errno != EINTR)
            break;
    }
    return fd;
}

static enum path_result result_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EXDEV:
    case ENXIO: /* a socket */
    case ENODEV:
    case EINVAL: /* a name that this file system cannot hold */
        return PATH_MISSING;
    case EACCES:
    case EPERM:
        return PATH_FORBIDDEN;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return PATH_EXHAUSTED;
    default:
        return PATH_FAILED;
    }
}

static enum path_result failed(int error)
{
    enum path_result result = result_of(error);
    if (result == PATH_FAILED)
        log_line(LOG_ERROR, "files: cannot open a file: %s",
                 strerrordesc_np(error));
    return result;
}

static enum path_result kind_of(const struct stat *st)
{
    if (S_ISREG(st->st_mode))
        return PATH_FILE;
    return S_ISDIR(st->st_mode) ? PATH_FOLDER : PATH_MISSING;
}

/* The path as the system call wants it; false when it cannot name a file. */
static bool terminated(struct str path, char *at)
{
    if (path.len >= PATH_BYTES_MAX || path_hidden(path))
        return false;
    if (path.len > 0 && memchr(path.at, '\0', path.len) != NULL)
        return false;
    if (path.len == 0)
        path = STR(".");
    memcpy(at, path.at, path.len);
    at[path.len] = '\0';
    return true;
}

enum path_result path_open(int root_fd, struct str path, enum path_use use,
                           int *ret_fd, struct stat *ret_stat)
{
    assert(root_fd >= 0);
    assert(ret_fd != NULL);
    char name[PATH_BYTES_MAX];
    *ret_fd = -1;
    if (!terminated(path, name))
        return PATH_MISSING;
    int fd = open_beneath(root_fd, name, use);
    if (fd < 0)
        return failed(errno);
    enum path_result result =
        fstat(fd, ret_stat) == 0 ? kind_of(ret_stat) : failed(errno);
    if (result == PATH_FILE || result == PATH_FOLDER)
        *ret_fd = fd;
    else
        close(fd);
    return result;
}
