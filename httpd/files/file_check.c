#include "httpd/files/file_check.h"

#include "httpd/files/file_cache.h"
#include "httpd/files/file_entry.h"
#include "httpd/http/route.h"
#include "httpd/loop/io_pool.h"

#include <assert.h>
#include <stdlib.h>

struct check_job {
    struct io_job io;
    struct file_cache *cache;
    struct file_entry *entry;
    const struct route *route;
    uint64_t asked_ms;
    enum file_standing standing;
};

static void work(struct io_job *io)
{
    struct check_job *job = (struct check_job *)io;
    job->standing = file_entry_standing(job->entry, job->route, 0);
}

static void done(struct io_job *io)
{
    struct check_job *job = (struct check_job *)io;
    assert(job->entry->checking);
    job->entry->checking = false;
    file_cache_checked(job->cache, job->entry, job->standing, job->asked_ms);
    file_entry_unref(job->entry);
    free(job);
}

void file_check_start(struct file_cache *cache, struct file_entry *e,
                      const struct file_want *want)
{
    assert(want->io != NULL);
    if (e->checking)
        return;
    struct check_job *job = malloc(sizeof(*job));
    if (job == NULL)
        return;
    *job = (struct check_job){
        .io = {.work = work, .done = done},
        .cache = cache,
        .entry = e,
        .route = want->route,
        .asked_ms = want->now_ms,
        .standing = FILE_COLD, /* in case the pool ends before work() */
    };
    dev_t device = path_device(want->route->root_fd, want->path);
    if (io_submit(want->io, device, &job->io) != FLOW_DONE) {
        free(job);
        return;
    }
    file_entry_ref(e);
    e->checking = true;
}
