#include "httpd/files/file_find.h"

#include "httpd/config/config.h"
#include "httpd/files/file_cache.h"
#include "httpd/files/file_entry.h"
#include "httpd/http/exchange.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "httpd/loop/io_pool.h"
#include "httpd/loop/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is asked, and how far it was looked at. */
struct find {
    const struct route *route;
    struct budget *budget;
    struct str path;
    size_t step; /* the next index file; behind the last the folder itself */
    struct file_found found;
};

struct find_job {
    struct io_job io;
    struct exchange *x; /* NULL: it was stopped */
    struct worker *worker;
    void (*answer)(struct exchange *x, struct str path,
                   struct file_found *found);
    uint64_t asked_ms;
    bool over;
    struct find find;
    char path[];
};

bool file_names_folder(struct str path)
{
    return path.len == 0 || path.at[path.len - 1] == '/';
}

/* In what follows w is the worker on its own thread, and NULL on an I/O thread,
 * which may wait. */

static enum path_result open_file(struct find *f, struct str path,
                                  struct worker *w)
{
    assert(f->found.entry == NULL);
    if (w == NULL)
        return file_entry_load(f->route, path, f->budget, 0, &f->found.entry);
    const struct file_want want = {
        .route = f->route,
        .path = path,
        .budget = f->budget,
        .io = w->io,
        .now_ms = worker_now_ms(w),
    };
    return file_cache_get(worker_file_cache(w), &want, &f->found.entry);
}

static enum path_result open_folder(struct find *f, const struct worker *w)
{
    int fd;
    struct stat st;
    bool must_not_wait = w != NULL && w->io != NULL;
    if (must_not_wait && f->route->waits)
        return PATH_COLD;
    unsigned use = PATH_READ | (must_not_wait ? PATH_CACHED : 0);
    enum path_result result =
        path_open(f->route->root_fd, f->path, use, &fd, &st);
    if (result == PATH_FOLDER)
        f->found.folder_fd = fd;
    else if (fd >= 0)
        close(fd);
    return result == PATH_FILE ? PATH_MISSING : result;
}

static enum path_result open_index(struct find *f, struct str file,
                                   struct worker *w)
{
    char name[PATH_BYTES_MAX];
    assert(f->path.len <= sizeof(name));
    if (file.len > sizeof(name) - f->path.len)
        return PATH_MISSING;
    if (f->path.len > 0)
        memcpy(name, f->path.at, f->path.len);
    memcpy(name + f->path.len, file.at, file.len);
    return open_file(f, (struct str){name, f->path.len + file.len}, w);
}

/* Goes on where it stopped. */
static enum path_result find(struct find *f, struct worker *w)
{
    const struct text_list *index = &f->route->config->index;
    if (!file_names_folder(f->path))
        return open_file(f, f->path, w);
    for (; f->step < index->n; f->step++) {
        enum path_result result =
            open_index(f, str_from(index->at[f->step]), w);
        if (result != PATH_MISSING && result != PATH_FOLDER)
            return result;
    }
    return open_folder(f, w);
}

static void release(struct file_found *found)
{
    file_entry_unref(found->entry);
    if (found->folder_fd >= 0)
        close(found->folder_fd);
}

static void job_free(struct find_job *job)
{
    release(&job->find.found);
    free(job);
}

static void work(struct io_job *io)
{
    struct find_job *job = (struct find_job *)io;
    job->find.found.result = find(&job->find, NULL);
}

static void done(struct io_job *io)
{
    struct find_job *job = (struct find_job *)io;
    const struct file_found *found = &job->find.found;
    file_cache_loaded(worker_file_cache(job->worker), found->result,
                      found->entry, job->asked_ms);
    job->over = true;
    if (job->x != NULL)
        exchange_wake(job->x);
    else
        job_free(job);
}

static enum flow pull(void *self, struct exchange *x)
{
    struct find_job *job = self;
    assert(job->x == x);
    if (!job->over)
        return FLOW_AGAIN;
    job->answer(x, job->find.path, &job->find.found);
    return FLOW_DONE;
}

static void stop(void *self)
{
    struct find_job *job = self;
    job->x = NULL;
    if (job->over)
        job_free(job);
}

static const struct source_ops ops = {
    .name = "file-find",
    .pull = pull,
    .stop = stop,
};

static struct find_job *job_new(struct exchange *x, const struct find *f)
{
    struct find_job *job = malloc(sizeof(*job) + f->path.len);
    if (job == NULL)
        return NULL;
    *job = (struct find_job){
        .io = {.work = work, .done = done},
        .x = x,
        .worker = x->worker,
        .asked_ms = worker_now_ms(x->worker),
        .find = *f,
    };
    if (f->path.len > 0)
        memcpy(job->path, f->path.at, f->path.len);
    job->find.path.at = job->path;
    job->find.found.result = PATH_FAILED; /* in case the pool ends before */
    return job;
}

static struct find_job *job_start(struct exchange *x, const struct find *f)
{
    struct find_job *job = job_new(x, f);
    if (job == NULL)
        return NULL;
    dev_t device = path_device(f->route->root_fd, f->path);
    if (io_submit(x->worker->io, device, &job->io) == FLOW_DONE)
        return job;
    free(job);
    return NULL;
}

void file_find(struct exchange *x, struct str path,
               void (*answer)(struct exchange *x, struct str path,
                              struct file_found *found))
{
    struct find f = {
        .route = x->route,
        .budget = x->worker->budget,
        .path = path,
        .found = {.folder_fd = -1},
    };
    f.found.result = find(&f, x->worker);
    if (f.found.result != PATH_COLD) {
        answer(x, path, &f.found);
        release(&f.found);
        return;
    }
    struct find_job *job = job_start(x, &f);
    if (job == NULL) {
        response_error(x, 503,
                       "too many files are waiting for their disk; "
                       "try again later");
        return;
    }
    job->answer = answer;
    exchange_defer(x, &ops, job);
}
