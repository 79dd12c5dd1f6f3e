#include "buffers/file_map.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

struct guard {
    sigjmp_buf back;
    const char *at;
    size_t len;
};

/* Read by the signal handler on the thread that faulted. */
static _Thread_local struct guard *volatile guard;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction previous;
static int install_error;

/* What is not ours goes to whoever had SIGBUS before. By default it ends the
 * process: as soon as the handler returns, the signal comes again. */
static void pass_on(int signo, siginfo_t *info, void *context)
{
    bool sent = info->si_code <= 0;
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signo, info, context);
    } else if (previous.sa_handler == SIG_IGN && sent) {
        return; /* of a fault, not even the kernel allows it */
    } else if (previous.sa_handler == SIG_DFL ||
               previous.sa_handler == SIG_IGN) {
        signal(signo, SIG_DFL);
        raise(signo);
    } else {
        previous.sa_handler(signo);
    }
}

/* With the signals blocked that were so before this one came. Doing this here
 * spares each read the system call by which sigsetjmp() would note them. */
static void leave(struct guard *g, const void *context)
{
    const ucontext_t *before = context;
    pthread_sigmask(SIG_SETMASK, &before->uc_sigmask, NULL);
    siglongjmp(g->back, 1);
}

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
    struct guard *g = guard;
    uintptr_t at = (uintptr_t)info->si_addr;
    bool fault = info->si_code > 0;
    if (g && fault && at - (uintptr_t)g->at < g->len)
        leave(g, context);
    int error = errno;
    pass_on(signo, info, context);
    errno = error;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &previous) != 0 ||
        sigaction(SIGBUS, &action, NULL) != 0)
        install_error = errno;
}

static bool installed(void)
{
    pthread_once(&once, install);
    errno = install_error;
    return install_error == 0;
}

bool file_map_open(struct file_map *m, int fd, uint64_t pos, size_t len_max)
{
    struct stat st;
    assert(pos % (uint64_t)sysconf(_SC_PAGESIZE) == 0);
    *m = (struct file_map){0};
    if (!installed() || fstat(fd, &st) != 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        errno = ENODEV;
        return false;
    }
    uint64_t size = (uint64_t)st.st_size;
    uint64_t left = pos < size ? size - pos : 0;
    size_t len = left < len_max ? (size_t)left : len_max;
    if (len == 0)
        return true;
    char *at = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)pos);
    if (at == MAP_FAILED)
        return false;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *m = (struct file_map){at, len, (len + page - 1) & ~(page - 1)};
    return true;
}

void file_map_close(struct file_map *m)
{
    if (m->at)
        munmap((void *)(uintptr_t)m->at, m->mapped);
    *m = (struct file_map){0};
}

static bool within(const struct file_map *m, struct str view)
{
    uintptr_t offset = (uintptr_t)view.at - (uintptr_t)m->at;
    return view.len == 0 || (offset <= m->len && view.len <= m->len - offset);
}

/* The fences keep the compiler from moving the reader's loads out of the time
 * in which the guard is up. */
enum flow file_map_read(const struct file_map *m, struct str view,
                        void (*reader)(void *arg, struct str view), void *arg)
{
    struct guard g = {.at = m->at, .len = m->mapped};
    assert(guard == NULL);
    assert(within(m, view));
    if (sigsetjmp(g.back, 0) != 0) {
        guard = NULL;
        return FLOW_END;
    }
    guard = &g;
    atomic_signal_fence(memory_order_seq_cst);
    reader(arg, view);
    atomic_signal_fence(memory_order_seq_cst);
    guard = NULL;
    return FLOW_DONE;
}

static void copy(void *to, struct str view)
{
    if (view.len > 0)
        memcpy(to, view.at, view.len);
}

enum flow file_map_copy(const struct file_map *m, size_t offset, size_t n,
                        void *to)
{
    assert(offset <= m->len && n <= m->len - offset);
    struct str view = {n > 0 ? m->at + offset : NULL, n};
    return file_map_read(m, view, copy, to);
}
