#include "httpd/files/path_open.h"

#include "buffers/file_residency.h"
#include "httpd/observe/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/statfs.h>
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

static int open_once(int root_fd, const char *name, unsigned use,
                     uint64_t resolve)
{
    const struct open_how how = {
        .flags =
            O_CLOEXEC | (use & PATH_LOOK ? (uint64_t)O_PATH
                                         : O_RDONLY | O_NONBLOCK | O_NOCTTY),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
    };
    return (int)syscall(SYS_openat2, root_fd, name, &how, sizeof(how));
}

static int open_beneath(int root_fd, const char *name, unsigned use)
{
    int fd = -1;
    for (int i = 0; i < OPEN_TRIES_MAX && fd < 0; i++) {
        fd = open_once(root_fd, name, use, 0);
        if (fd < 0 && errno != EAGAIN && errno != EINTR)
            break;
    }
    return fd;
}

/* EINVAL is what an older kernel says, and some file systems of some names. */
static bool knows_cached(int root_fd)
{
    int fd = open_once(root_fd, ".", PATH_LOOK, RESOLVE_CACHED);
    int error = errno;
    if (fd >= 0)
        close(fd);
    return fd >= 0 || error != EINVAL;
}

/* Of another mount nothing is known: its file system may ask somebody at every
 * open(), whatever names are cached. */
static int open_cached(int root_fd, const char *name, unsigned use)
{
    static atomic_bool unknown;
    if (!atomic_load_explicit(&unknown, memory_order_relaxed)) {
        int fd =
            open_once(root_fd, name, use, RESOLVE_CACHED | RESOLVE_NO_XDEV);
        if (fd >= 0 || errno != EINVAL)
            return fd;
        if (knows_cached(root_fd)) {
            errno = EINVAL;
            return -1;
        }
        atomic_store_explicit(&unknown, true, memory_order_relaxed);
    }
    return open_beneath(root_fd, name, use);
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

/* EXDEV may be another mount as well as the way out. */
static bool cold(int error)
{
    return error == EAGAIN || error == EINTR || error == EXDEV;
}

enum path_result path_open(int root_fd, struct str path, unsigned use,
                           int *ret_fd, struct stat *ret_stat)
{
    assert(root_fd >= 0);
    assert(ret_fd != NULL);
    char name[PATH_BYTES_MAX];
    *ret_fd = -1;
    if (!terminated(path, name))
        return PATH_MISSING;
    int fd = use & PATH_CACHED ? open_cached(root_fd, name, use)
                               : open_beneath(root_fd, name, use);
    if (fd < 0 && use & PATH_CACHED && cold(errno))
        return PATH_COLD;
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

bool path_root_waits(int root_fd)
{
    struct statfs fs;
    if (fstatfs(root_fd, &fs) != 0)
        return true;
    switch ((uint32_t)fs.f_type) {
    case FUSE_SUPER_MAGIC:
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
    case AFS_SUPER_MAGIC:
    case AFS_FS_MAGIC:
    case V9FS_MAGIC:
        return true;
    default:
        return false;
    }
}

dev_t path_device(int root_fd, struct str path)
{
    char name[PATH_BYTES_MAX];
    dev_t device = file_device(root_fd);
    char *end = name;
    if (!terminated(path, name))
        return device;
    for (unsigned i = 0; i < PATH_LEVELS_MAX; i++) {
        end = strchr(end, '/');
        if (end == NULL)
            break;
        *end = '\0';
        int fd = open_once(root_fd, name, PATH_LOOK, RESOLVE_CACHED);
        *end++ = '/';
        if (fd < 0)
            break;
        device = file_device(fd);
        close(fd);
    }
    return device;
}
