#include "httpd/files/dir_walk.h"

#include "httpd/files/path_open.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NANOSECONDS  1000000000
#define SECONDS_FAR  9000000000 /* times fit into 64 bits of nanoseconds */
#define RECORD_BYTES offsetof(struct dirent64, d_name)

struct dir_walk {
    int fd;
    enum dir_sort sort;
    bool emitting;
    struct dir_window *window;
    int root_fd;       /* links are followed beneath it */
    struct str folder; /* where the folder lies beneath the root */
};

struct dir_walk *dir_walk_new(int folder_fd, struct dir_order order,
                              size_t entries_max, size_t names_bytes)
{
    assert(folder_fd >= 0);
    struct dir_walk *w = calloc(1, sizeof(*w));
    struct dir_window *window = dir_window_new(order, entries_max, names_bytes);

    if (!w || !window) {
        free(w);
        dir_window_free(window);
        close(folder_fd);
        return NULL;
    }
    w->fd = folder_fd;
    w->root_fd = folder_fd;
    w->sort = order.sort;
    w->window = window;
    return w;
}

void dir_walk_beneath(struct dir_walk *w, int root_fd, struct str folder)
{
    assert(root_fd >= 0);
    assert(folder.len == 0 || folder.at[folder.len - 1] == '/');
    w->root_fd = root_fd;
    w->folder = folder;
}

void dir_walk_free(struct dir_walk *w)
{
    if (!w)
        return;
    close(w->fd);
    dir_window_free(w->window);
    free(w);
}

/* Whether the order needs a look at each entry. */
static bool by_stat(const struct dir_walk *w)
{
    return w->sort != DIR_BY_NAME;
}

static bool maybe_shown(const struct dirent64 *entry)
{
    unsigned char type = entry->d_type;

    return type == DT_REG || type == DT_DIR || type == DT_LNK ||
           type == DT_UNKNOWN;
}

static int64_t seconds_of(const struct stat *st)
{
    int64_t seconds = st->st_mtim.tv_sec;

    if (seconds > SECONDS_FAR)
        return SECONDS_FAR;
    return seconds < -SECONDS_FAR ? -SECONDS_FAR : seconds;
}

/* Follows a link as opening it would: what lies outside the root is missing,
 * its size and date too. */
static bool look_behind(const struct dir_walk *w, const char *name,
                        struct stat *st)
{
    char path[PATH_BYTES_MAX];
    int fd;
    int len = snprintf(path, sizeof(path), "%.*s%s", (int)w->folder.len,
                       w->folder.at, name);
    if (len < 0 || (size_t)len >= sizeof(path))
        return false;
    struct str whole = {path, (size_t)len};
    enum path_result result = path_open(w->root_fd, whole, PATH_LOOK, &fd, st);
    if (fd >= 0)
        close(fd);
    return result == PATH_FILE || result == PATH_FOLDER;
}

/* Looks at one name, which ends in NUL. False when it is not to be shown. */
static bool look(const struct dir_walk *w, const char *name, struct stat *st)
{
    if (fstatat(w->fd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (S_ISLNK(st->st_mode))
        return look_behind(w, name, st);
    return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

static int64_t value_of(enum dir_sort sort, const struct stat *st)
{
    if (sort == DIR_BY_TIME)
        return seconds_of(st) * NANOSECONDS + st->st_mtim.tv_nsec;
    return S_ISDIR(st->st_mode) ? 0 : st->st_size;
}

static void offer(struct dir_walk *w, const struct dirent64 *entry)
{
    struct dir_key key = {0, str_from(entry->d_name)};
    struct stat st;

    if (key.name.len == 0 || key.name.len > DIR_NAME_BYTES_MAX)
        return;
    if (path_hidden(key.name) || !maybe_shown(entry))
        return;
    if (by_stat(w)) {
        if (!look(w, entry->d_name, &st))
            return;
        key.value = value_of(w->sort, &st);
    }
    dir_window_offer(w->window, key);
}

/* Reads one buffer full of the folder. AGAIN: there may be more. END. */
static enum flow scan(struct dir_walk *w)
{
    _Alignas(struct dirent64) char buffer[DIR_WALK_READ_BYTES];
    size_t cap = by_stat(w) ? DIR_WALK_READ_STAT_BYTES : sizeof(buffer);
    ssize_t len = getdents64(w->fd, buffer, cap);

    if (len < 0)
        return FLOW_FAILED;
    for (ssize_t at = 0; at < len;) {
        const struct dirent64 *entry = (const void *)(buffer + at);
        assert(entry->d_reclen > RECORD_BYTES);
        at += entry->d_reclen;
        offer(w, entry);
    }
    return len > 0 ? FLOW_AGAIN : FLOW_END;
}

static bool look_at(const struct dir_walk *w, struct str name, struct stat *st)
{
    char text[DIR_NAME_BYTES_MAX + 1];

    assert(name.len <= DIR_NAME_BYTES_MAX);
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    return look(w, text, st);
}

/* Completes the next item. AGAIN: only entries that have gone. */
static enum flow emit(struct dir_walk *w, struct dir_item *ret_item)
{
    struct dir_key key;
    struct stat st;

    for (unsigned skips = 0; skips < DIR_WALK_SKIPS_MAX; skips++) {
        if (!dir_window_next(w->window, &key))
            return FLOW_END;
        if (!look_at(w, key.name, &st))
            continue;
        bool folder = S_ISDIR(st.st_mode);
        *ret_item = (struct dir_item){
            .name = key.name,
            .folder = folder,
            .size_bytes = folder ? 0 : (uint64_t)st.st_size,
            .modified_seconds = seconds_of(&st),
        };
        return FLOW_DONE;
    }
    return FLOW_AGAIN;
}

static enum flow next_pass(struct dir_walk *w)
{
    if (!dir_window_left_some(w->window))
        return FLOW_END;
    if (lseek(w->fd, 0, SEEK_SET) < 0)
        return FLOW_FAILED;
    dir_window_begin(w->window);
    w->emitting = false;
    return FLOW_AGAIN;
}

enum flow dir_walk_next(struct dir_walk *w, struct dir_item *ret_item)
{
    enum flow flow;

    if (!w->emitting) {
        flow = scan(w);
        w->emitting = flow == FLOW_END;
        return w->emitting ? FLOW_AGAIN : flow;
    }
    flow = emit(w, ret_item);
    return flow == FLOW_END ? next_pass(w) : flow;
}
