#include "httpd/files/file_body.h"

#include "httpd/files/file_entry.h"
#include "httpd/loop/io_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct body_job {
    struct io_job io;
    struct file_entry *entry;
    struct file_variant *variant;
    size_t got;
    char bytes[FILE_BODY_COPY_MAX];
};

static void work(struct io_job *io)
{
    struct body_job *job = (struct body_job *)io;
    const struct file_variant *v = job->variant;
    while (job->got < v->size) {
        ssize_t n = pread(v->fd, job->bytes + job->got,
                          (size_t)v->size - job->got, (off_t)job->got);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return;
        job->got += n > 0 ? (size_t)n : 0;
    }
}

static void done(struct io_job *io)
{
    struct body_job *job = (struct body_job *)io;
    job->variant->body_asked = false;
    file_entry_take_body(job->variant, (struct str){job->bytes, job->got});
    file_entry_unref(job->entry);
    free(job);
}

void file_body_fetch(struct file_entry *e, const struct file_variant *v,
                     struct io_done *io)
{
    if (!io || v->has_body || v->body_asked || !v->may_hold)
        return;
    struct body_job *job = malloc(sizeof(*job));
    if (!job)
        return;
    job->io = (struct io_job){.work = work, .done = done};
    job->entry = e;
    job->variant = &e->variants[v - e->variants];
    job->got = 0;
    if (io_submit(io, v->mark.dev, &job->io) != FLOW_DONE) {
        free(job);
        return;
    }
    file_entry_ref(e);
    job->variant->body_asked = true;
}
