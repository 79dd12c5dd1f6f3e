#include "httpd/files/file_entry.h"

#include "buffers/budget.h"
#include "buffers/file_residency.h"
#include "httpd/files/mime.h"
#include "httpd/http/route.h"
#include "parser/http_date.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* File systems keep times in ticks of up to a second: two writes within one
 * look alike. */
#define YOUNG_SECONDS 2

static const enum coding siblings[] = {CODING_GZIP, CODING_ZSTD, CODING_BR};
#define SIBLINGS_N (sizeof(siblings) / sizeof(siblings[0]))

static struct file_mark mark_of(const struct stat *st)
{
    return (struct file_mark){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = st->st_size > 0 ? (uint64_t)st->st_size : 0,
        .modified = st->st_mtim,
        .changed = st->st_ctim,
    };
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_mark(const struct file_mark *a, const struct file_mark *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

/* Opens path beside the file, if it is a file and not stale. */
static enum path_result open_sibling(const struct route *route,
                                     const struct file_entry *e, enum coding c,
                                     unsigned use, int *ret_fd,
                                     struct file_mark *ret_mark)
{
    char name[PATH_BYTES_MAX];
    struct stat st;
    struct str extension = encoding_extension(c);
    const struct file_mark *base = &e->variants[CODING_IDENTITY].mark;
    *ret_fd = -1;
    if (e->path_len + extension.len > sizeof(name))
        return PATH_MISSING;
    memcpy(name, e->path, e->path_len);
    memcpy(name + e->path_len, extension.at, extension.len);
    struct str path = {name, e->path_len + extension.len};
    enum path_result result = path_open(route->root_fd, path, use, ret_fd, &st);
    if (result == PATH_FILE) {
        *ret_mark = mark_of(&st);
        if (ret_mark->modified.tv_sec >= base->modified.tv_sec)
            return PATH_FILE;
    }
    if (*ret_fd >= 0)
        close(*ret_fd);
    *ret_fd = -1;
    bool untold = result == PATH_EXHAUSTED || result == PATH_COLD;
    return untold ? result : PATH_MISSING;
}

static void take_file(struct file_entry *e, enum coding c, int fd,
                      const struct file_mark *mark)
{
    struct file_variant *v = &e->variants[c];
    assert(fd >= 0);
    assert(v->fd < 0);
    v->fd = fd;
    v->mark = *mark;
    v->size = mark->size;
    e->offered |= CODING_BIT(c);
    e->files++;
    if (time(NULL) - mark->changed.tv_sec < YOUNG_SECONDS)
        e->young = true;
}

/* False: whether there is one cannot be told without waiting. */
static bool open_siblings(struct file_entry *e, const struct route *route,
                          unsigned how)
{
    enum path_result result = PATH_MISSING;
    for (size_t i = 0; i < SIBLINGS_N && result != PATH_COLD; i++) {
        int fd;
        struct file_mark mark;
        result =
            open_sibling(route, e, siblings[i], PATH_READ | how, &fd, &mark);
        if (result == PATH_FILE)
            take_file(e, siblings[i], fd, &mark);
    }
    return result != PATH_COLD;
}

/* Offers gzip on the fly where the route has it and it pays. */
static void offer_gzip(struct file_entry *e, const struct route_config *config,
                       const struct mime_type *type)
{
    const struct file_variant *file = &e->variants[CODING_IDENTITY];
    struct file_variant *made = &e->variants[CODING_GZIP_MADE];
    if (!config->gzip || !type->compressible || file->size == 0 ||
        file->size < config->gzip_bytes_min)
        return;
    made->fd = file->fd;
    made->mark = file->mark;
    made->size = file->size;
    e->offered |= CODING_BIT(CODING_GZIP_MADE);
}

/* The operator's text, unless it would break the head apart. */
static bool field_text(const char *text)
{
    if (text == NULL || text[0] == '\0')
        return false;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' && *text != '\t')
            return false;
    return true;
}

/* Where the parts of a variant's text begin, while it is still growing. */
struct layout {
    size_t type_end;
    size_t parts;
    size_t lines_304;
    size_t etag;
    size_t etag_end;
    size_t end;
};

static bool add(struct bytes *out, struct str s)
{
    return bytes_append_str(out, s) == FLOW_DONE;
}

#define TYPE_AT (sizeof("Content-Type: ") - 1)

static bool write_type(struct bytes *out, const struct mime_type *type,
                       struct layout *l)
{
    bool ok = add(out, STR("Content-Type: ")) && add(out, type->name) &&
              (!type->utf8 || add(out, STR("; charset=utf-8")));
    l->type_end = out->len;
    return ok && add(out, STR("\r\n"));
}

static bool write_form(struct bytes *out, enum coding c, struct layout *l)
{
    struct str extension = encoding_extension(c);
    bool ok = true;
    l->parts = out->len;
    if (extension.len > 0)
        ok = add(out, STR("Content-Encoding: ")) &&
             add(out, encoding_name(c)) && add(out, STR("\r\n"));
    if (c != CODING_GZIP_MADE)
        ok = ok && add(out, STR("Accept-Ranges: bytes\r\n"));
    return ok && add(out, STR("X-Content-Type-Options: nosniff\r\n"));
}

/* One step of a hash: every bit of v reaches every bit of the result. */
static uint64_t mix(uint64_t hash, uint64_t v)
{
    hash ^= v;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return (hash ^ (hash >> 31)) + 0x9e3779b97f4a7c15u;
}

static uint64_t mix_time(uint64_t hash, struct timespec t)
{
    return mix(mix(hash, (uint64_t)t.tv_sec), (uint64_t)t.tv_nsec);
}

/* Whoever copies a file over another may keep size and modification time; the
 * inode or its change time then differ. */
static uint64_t mark_hash(const struct file_mark *m)
{
    uint64_t hash = mix(mix(0, m->dev), m->ino);
    hash = mix_time(mix_time(hash, m->modified), m->changed);
    return mix(hash, m->size);
}

static bool write_etag(struct bytes *out, const struct file_variant *v,
                       enum coding c, struct layout *l)
{
    struct str tag = encoding_tag(c);
    bool ok = add(out, STR("ETag: "));
    l->etag = out->len;
    ok = ok && bytes_printf(out, "\"%016" PRIx64 "-%" PRIx64 "%.*s\"",
                            mark_hash(&v->mark), v->size, (int)tag.len,
                            tag.at) == FLOW_DONE;
    l->etag_end = out->len;
    return ok && add(out, STR("\r\n"));
}

static bool write_date(struct bytes *out, int64_t seconds)
{
    char date[HTTP_DATE_BYTES];
    http_date_write(date, seconds);
    return add(out, STR("Last-Modified: ")) &&
           add(out, (struct str){date, sizeof(date)}) && add(out, STR("\r\n"));
}

/* A date in the future must not be sent: RFC 9110 section 8.8.2.1. */
static bool write_validators(struct bytes *out, struct file_variant *v,
                             enum coding c, struct layout *l)
{
    int64_t seconds = v->mark.modified.tv_sec;
    bool dated = seconds <= time(NULL);
    if (seconds < 0)
        seconds = 0;
    v->validators.modified_seconds = dated ? seconds : MODIFIED_UNKNOWN;
    l->lines_304 = out->len;
    return write_etag(out, v, c, l) && (!dated || write_date(out, seconds));
}

static bool write_policy(struct bytes *out, const struct file_entry *e,
                         const struct route_config *config, struct layout *l)
{
    bool ok = true;
    if (e->offered != CODING_BIT(CODING_IDENTITY))
        ok = add(out, STR("Vary: Accept-Encoding\r\n"));
    if (field_text(config->cache_control))
        ok = ok && add(out, STR("Cache-Control: ")) &&
             add(out, str_from(config->cache_control)) && add(out, STR("\r\n"));
    l->end = out->len;
    return ok;
}

static bool small(const struct file_variant *v)
{
    return v->size <= FILE_BODY_COPY_MAX;
}

static void add_body(struct file_variant *v, const char *room)
{
    bytes_commit(&v->text, (size_t)v->size);
    v->body = (struct str){room, (size_t)v->size};
    v->has_body = true;
}

void file_entry_take_body(struct file_variant *v, struct str content)
{
    char *room;
    if (v->has_body || !v->may_hold || content.len != v->size ||
        bytes_reserve(&v->text, content.len, &room) != FLOW_DONE)
        return;
    if (content.len > 0)
        memcpy(room, content.at, content.len);
    add_body(v, room);
}

/* Reads a small file behind its lines when all of it is in the page cache.
 * What is not, or is shorter than it was, leaves from the descriptor. */
static void copy_body(struct file_variant *v)
{
    size_t size = (size_t)v->size;
    char *room;
    if (bytes_reserve(&v->text, size, &room) != FLOW_DONE)
        return;
    if (size == 0 || file_read_resident(v->fd, room, size, 0) == (ssize_t)size)
        add_body(v, room);
}

static struct str slice(const struct bytes *b, size_t from, size_t to)
{
    assert(from <= to && to <= b->len);
    return (struct str){b->data + from, to - from};
}

static void set_views(struct file_variant *v, const struct layout *l)
{
    const struct bytes *text = &v->text;
    v->content_type = slice(text, TYPE_AT, l->type_end);
    v->lines = slice(text, 0, l->end);
    v->lines_parts = slice(text, l->parts, l->end);
    v->lines_304 = slice(text, l->lines_304, l->end);
    v->validators.etag = slice(text, l->etag, l->etag_end);
}

/* Without room in the budget the body stays where it is, on disk. */
static void charge_body(struct file_entry *e, struct file_variant *v,
                        enum coding c)
{
    if (c == CODING_GZIP_MADE || !small(v) ||
        !budget_take(e->budget, BUDGET_CACHE, (size_t)v->size))
        return;
    v->may_hold = true;
    e->charged += (size_t)v->size;
}

static bool write_variant(struct file_entry *e, enum coding c,
                          const struct route_config *config,
                          const struct mime_type *type)
{
    struct file_variant *v = &e->variants[c];
    struct layout l;
    bytes_init(&v->text, FILE_LINES_BYTES_MAX + FILE_BODY_COPY_MAX);
    if (!write_type(&v->text, type, &l) || !write_form(&v->text, c, &l) ||
        !write_validators(&v->text, v, c, &l) ||
        !write_policy(&v->text, e, config, &l))
        return false;
    char *room; /* now, so that the views stay good when the body follows */
    charge_body(e, v, c);
    if (v->may_hold &&
        bytes_reserve(&v->text, (size_t)v->size, &room) != FLOW_DONE)
        return false;
    set_views(v, &l);
    if (v->may_hold)
        copy_body(v);
    return true;
}

static bool write_variants(struct file_entry *e, const struct route *route)
{
    const struct mime_type *type =
        mime_find((struct str){e->path, e->path_len});
    offer_gzip(e, route->config, type);
    for (unsigned c = 0; c < CODINGS; c++)
        if (e->offered & CODING_BIT(c) &&
            !write_variant(e, c, route->config, type))
            return false;
    return true;
}

static struct file_entry *entry_new(const struct route *route, struct str path)
{
    struct file_entry *e = calloc(1, sizeof(*e) + path.len);
    if (e == NULL)
        return NULL;
    for (unsigned c = 0; c < CODINGS; c++)
        e->variants[c].fd = -1;
    e->refs = 1;
    e->route_id = route->id;
    e->path_len = path.len;
    memcpy(e->path, path.at, path.len);
    return e;
}

enum path_result file_entry_load(const struct route *route, struct str path,
                                 struct budget *budget, unsigned how,
                                 struct file_entry **ret_entry)
{
    int fd;
    struct stat st;
    struct file_entry *e = NULL;
    *ret_entry = NULL;
    enum path_result result =
        path_open(route->root_fd, path, PATH_READ | how, &fd, &st);
    if (result != PATH_FILE)
        goto out;
    result = PATH_EXHAUSTED;
    e = entry_new(route, path);
    if (e == NULL)
        goto out;
    e->budget = budget;
    struct file_mark mark = mark_of(&st);
    take_file(e, CODING_IDENTITY, fd, &mark);
    fd = -1;
    result = PATH_COLD;
    if (route->config->precompressed && !open_siblings(e, route, how))
        goto out;
    result = PATH_EXHAUSTED;
    if (!write_variants(e, route))
        goto out;
    *ret_entry = e;
    e = NULL;
    result = PATH_FILE;
out:
    if (fd >= 0)
        close(fd);
    file_entry_unref(e);
    return result;
}

static enum file_standing sibling_standing(const struct file_entry *e,
                                           const struct route *route,
                                           enum coding c, unsigned how)
{
    int fd;
    struct file_mark mark;
    bool there = e->offered & CODING_BIT(c);
    enum path_result result =
        open_sibling(route, e, c, PATH_LOOK | how, &fd, &mark);
    if (fd >= 0)
        close(fd);
    if (result == PATH_EXHAUSTED)
        return FILE_CURRENT;
    if (result == PATH_COLD)
        return FILE_COLD;
    bool same = (result == PATH_FILE) == there &&
                (!there || same_mark(&mark, &e->variants[c].mark));
    return same ? FILE_CURRENT : FILE_CHANGED;
}

static enum file_standing own_standing(const struct file_entry *e,
                                       const struct route *route, unsigned how)
{
    int fd;
    struct stat st;
    struct str path = {e->path, e->path_len};
    enum path_result result =
        path_open(route->root_fd, path, PATH_LOOK | how, &fd, &st);
    if (fd >= 0)
        close(fd);
    if (result == PATH_EXHAUSTED)
        return FILE_CURRENT;
    if (result == PATH_COLD)
        return FILE_COLD;
    if (result != PATH_FILE || e->young)
        return FILE_CHANGED;
    struct file_mark mark = mark_of(&st);
    bool same = same_mark(&mark, &e->variants[CODING_IDENTITY].mark);
    return same ? FILE_CURRENT : FILE_CHANGED;
}

enum file_standing file_entry_standing(const struct file_entry *e,
                                       const struct route *route, unsigned how)
{
    assert(e->route_id == route->id);
    enum file_standing standing = own_standing(e, route, how);
    if (!route->config->precompressed)
        return standing;
    for (size_t i = 0; standing == FILE_CURRENT && i < SIBLINGS_N; i++)
        standing = sibling_standing(e, route, siblings[i], how);
    return standing;
}

struct file_entry *file_entry_ref(struct file_entry *e)
{
    assert(e->refs > 0);
    e->refs++;
    return e;
}

void file_entry_unref(struct file_entry *e)
{
    if (e == NULL)
        return;
    assert(e->refs > 0);
    if (--e->refs > 0)
        return;
    for (unsigned c = 0; c < CODINGS; c++) {
        if (c != CODING_GZIP_MADE && e->variants[c].fd >= 0)
            close(e->variants[c].fd);
        bytes_fini(&e->variants[c].text);
    }
    budget_give(e->budget, BUDGET_CACHE, e->charged);
    free(e);
}

static void release(void *owner)
{
    file_entry_unref(owner);
}

struct file_range file_entry_range(struct file_entry *e,
                                   const struct file_variant *v, uint64_t pos,
                                   uint64_t len)
{
    assert(v->fd >= 0 && len > 0);
    assert(pos < v->size && len <= v->size - pos);
    if (v->may_hold && !v->has_body)
        copy_body(&e->variants[v - e->variants]);
    return (struct file_range){
        .fd = v->fd,
        .pos = pos,
        .len = len,
        .release = release,
        .owner = file_entry_ref(e),
    };
}
