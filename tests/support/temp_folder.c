#include "tests/support/temp_folder.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALK_FILES_MAX 8

static void must(int result)
{
    if (result < 0) {
        perror("temp_folder");
        abort();
    }
}

void temp_folder_init(struct temp_folder *f)
{
    const char *base = getenv("TMPDIR");
    snprintf(f->path, sizeof(f->path), "%s/sluice-test-XXXXXX",
             base && base[0] ? base : "/tmp");
    must(mkdtemp(f->path) ? 0 : -1);
    f->fd = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    must(f->fd);
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

void temp_folder_fini(struct temp_folder *f)
{
    close(f->fd);
    must(nftw(f->path, remove_one, WALK_FILES_MAX, FTW_DEPTH | FTW_PHYS));
}

void temp_folder_write(const struct temp_folder *f, const char *name,
                       const char *text)
{
    size_t len = strlen(text);
    int fd =
        openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(fd);
    must(write(fd, text, len) == (ssize_t)len ? 0 : -1);
    must(close(fd));
}

void temp_folder_mkdir(const struct temp_folder *f, const char *name)
{
    must(mkdirat(f->fd, name, 0755));
}

void temp_folder_link(const struct temp_folder *f, const char *target,
                      const char *name)
{
    must(symlinkat(target, f->fd, name));
}

void temp_folder_remove(const struct temp_folder *f, const char *name)
{
    must(unlinkat(f->fd, name, 0));
}

void temp_folder_rename(const struct temp_folder *f, const char *from,
                        const char *to)
{
    must(renameat(f->fd, from, f->fd, to));
}

void temp_folder_date(const struct temp_folder *f, const char *name,
                      time_t seconds)
{
    const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    must(utimensat(f->fd, name, times, 0));
}
