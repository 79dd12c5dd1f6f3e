#include "buffers/file_residency.h"
#include "buffers/file_residency_ways.h"

#include "tests/support/temp_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES (4u << 20)
#define PIECE      (64u << 10)

/* To ask the kernel for cold bytes makes it read them, and a quick disk may be
 * done before it looks: then they are there, and nobody has waited. So what is
 * asked of cold bytes is asked anew, until it was seen. */
#define TRIES 1000

struct fixture {
    struct temp_folder folder;
    int fd;
    char *bytes;
    bool told; /* pages can be thrown out of the cache here */
};

/* From here on nothing is said to be there, to what asks by reads. */
static int64_t cold_from = INT64_MAX;
static bool reads_wait; /* one was without RWF_NOWAIT */

ssize_t preadv2(int fp, const struct iovec *iovec, int count, off_t offset,
                int flags)
{
    if (!(flags & RWF_NOWAIT))
        reads_wait = true;
    if (offset >= cold_from) {
        errno = EAGAIN;
        return -1;
    }
    return syscall(SYS_preadv2, fp, iovec, count, offset, 0L, flags);
}

/* Pages that are being read stay for a while. False: they stay for good. */
static bool make_cold(struct fixture *f)
{
    bool cold = false;
    for (int i = 0; i < TRIES && !cold; i++) {
        assert_int_equal(fsync(f->fd), 0);
        assert_int_equal(posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        cold = residency_by_mincore(f->fd, 0, FILE_BYTES) == 0;
    }
    return cold;
}

/* Without the kernel's read-ahead, so that exactly this becomes warm. */
static void make_warm(struct fixture *f, uint64_t pos, size_t len)
{
    char *to = malloc(len);
    assert_int_equal(posix_fadvise(f->fd, 0, 0, POSIX_FADV_RANDOM), 0);
    assert_int_equal(pread(f->fd, to, len, (off_t)pos), len);
    assert_memory_equal(to, f->bytes + pos, len);
    free(to);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct statfs st;
    char path[512];
    assert_non_null(f);
    temp_folder_init(&f->folder);
    snprintf(path, sizeof path, "%s/file", f->folder.path);
    f->fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(f->fd >= 0);
    f->bytes = malloc(FILE_BYTES);
    assert_non_null(f->bytes);
    for (size_t i = 0; i < FILE_BYTES; i++)
        f->bytes[i] = (char)(i * 31 + (i >> 12));
    assert_int_equal(write(f->fd, f->bytes, FILE_BYTES), FILE_BYTES);
    assert_int_equal(fstatfs(f->fd, &st), 0);
    f->told = st.f_type != TMPFS_MAGIC && make_cold(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close(f->fd);
    temp_folder_fini(&f->folder);
    free(f->bytes);
    free(f);
    return 0;
}

static struct fixture *start(void **state)
{
    struct fixture *f = *state;
    if (!f->told) {
        print_message("nothing becomes cold on this file system\n");
        skip();
    }
    return f;
}

/* Whether each way says so; one that is missing here is left out. */
static bool all_say(struct fixture *f, uint64_t pos, uint64_t len,
                    uint64_t there)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t way[] = {
        residency_by_cachestat(f->fd, pos, len),
        residency_by_mincore(f->fd, pos, len), file_resident(f->fd, pos, len),
        residency_by_reads(f->fd, pos, len, page), /* it may begin a read */
    };
    bool all = true;
    for (size_t i = 0; i < sizeof way / sizeof way[0]; i++)
        all = all && (way[i] == RESIDENCY_UNKNOWN || way[i] == there);
    return all;
}

static void expect(struct fixture *f, uint64_t pos, uint64_t len,
                   uint64_t there)
{
    assert_true(all_say(f, pos, len, there));
}

static void file_that_was_written_is_resident(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(pwrite(f->fd, f->bytes, FILE_BYTES, 0), FILE_BYTES);
    expect(f, 0, FILE_BYTES, FILE_BYTES);
    expect(f, 0, 1, 1);
    expect(f, 4095, 2, 2);
    expect(f, FILE_BYTES - 1, 1, 1);
}

static void cold_file_is_not_resident(void **state)
{
    struct fixture *f = start(state);
    assert_int_equal(residency_by_mincore(f->fd, 0, FILE_BYTES), 0);
    assert_int_equal(file_resident(f->fd, 0, FILE_BYTES), 0);
    assert_int_equal(file_resident(f->fd, 12345, 1), 0);
}

#define LAST UINT64_MAX /* warm byte */

/* The begin of the file is warm; whether all ways see where that ends. */
static bool see_the_end(struct fixture *f, uint64_t pos, uint64_t len)
{
    assert_true(make_cold(f));
    make_warm(f, 0, 5 * PIECE);
    uint64_t there = residency_by_mincore(f->fd, 0, FILE_BYTES);
    assert_in_range(there, 5 * PIECE, FILE_BYTES - 1);
    if (pos == LAST)
        pos = there - 1;
    return all_say(f, pos, len, there - pos);
}

static void three_ways_see_where_it_ends(void **state)
{
    static const struct {
        uint64_t pos;
        uint64_t len;
    } asked[] = {{0, FILE_BYTES}, {1000, FILE_BYTES - 1000}, {LAST, 2}};
    struct fixture *f = start(state);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        bool seen = false;
        for (int n = 0; n < TRIES && !seen; n++)
            seen = see_the_end(f, asked[i].pos, asked[i].len);
        assert_true(seen);
    }
}

static void piece_in_the_middle_is_seen_from_its_begin(void **state)
{
    struct fixture *f = start(state);
    make_warm(f, 20 * PIECE, 3 * PIECE);
    assert_int_equal(residency_by_mincore(f->fd, 0, FILE_BYTES), 0);
    assert_int_equal(file_resident(f->fd, 0, FILE_BYTES), 0);
    assert_true(file_resident(f->fd, 20 * PIECE, 3 * PIECE) == 3 * PIECE);
}

static void hole_is_seen(void **state)
{
    struct fixture *f = start(state);
    make_warm(f, 0, PIECE);
    make_warm(f, 10 * PIECE, PIECE);
    uint64_t there = file_resident(f->fd, 0, FILE_BYTES);
    assert_int_equal(there, residency_by_mincore(f->fd, 0, FILE_BYTES));
    assert_in_range(there, PIECE, 10 * PIECE - 1);
}

static void fetched_range_is_resident(void **state)
{
    struct fixture *f = start(state);
    assert_true(file_fetch(f->fd, 3 * PIECE + 5, PIECE, 0));
    expect(f, 3 * PIECE + 5, PIECE, PIECE);
    assert_true(file_fetch(f->fd, FILE_BYTES - 10, 10, PIECE));
    expect(f, FILE_BYTES - 10, 10, 10);
}

static void fetch_leaves_no_holes_between_steps(void **state)
{
    struct fixture *f = start(state);
    assert_true(file_fetch(f->fd, 5 * RESIDENCY_STEP_BYTES + 9, 1, 0));
    assert_int_equal(residency_by_mincore(f->fd, 5 * RESIDENCY_STEP_BYTES,
                                          RESIDENCY_STEP_BYTES),
                     RESIDENCY_STEP_BYTES);
}

static void fetch_of_what_is_not_there_fails(void **state)
{
    struct fixture *f = *state;
    assert_false(file_fetch(f->fd, FILE_BYTES, 1, 0));
    assert_false(file_fetch(f->fd, FILE_BYTES - 5, 6, 0));
    assert_false(file_fetch(-1, 0, 1, 0));
}

static void cold_bytes_are_not_waited_for(void **state)
{
    struct fixture *f = start(state);
    char to[1000];
    bool refused = false;
    reads_wait = false;
    for (int i = 0; i < TRIES && !refused; i++) {
        assert_true(make_cold(f));
        ssize_t n = file_read_resident(f->fd, to, sizeof to, 5000);
        refused = n < 0;
        if (refused)
            assert_true(errno == EAGAIN || errno == EOPNOTSUPP);
        else
            assert_memory_equal(to, f->bytes + 5000, (size_t)n);
    }
    assert_true(refused);
    assert_false(reads_wait);
}

static void resident_bytes_are_read(void **state)
{
    struct fixture *f = *state;
    char to[1000];
    assert_int_equal(pwrite(f->fd, f->bytes, FILE_BYTES, 0), FILE_BYTES);
    assert_int_equal(file_read_resident(f->fd, to, sizeof to, 5000), 1000);
    assert_memory_equal(to, f->bytes + 5000, sizeof to);
}

/* A page may be there in part, where a file system's blocks are smaller, or go
 * between two questions. */
static void page_that_is_there_in_part_is_not_more_than_was_asked(void **state)
{
    struct fixture *f = *state;
    make_warm(f, 0, PIECE);
    cold_from = 149;
    assert_int_equal(residency_by_reads(f->fd, 100, 50, PIECE), 0);
    cold_from = PIECE + 149;
    assert_int_equal(residency_by_reads(f->fd, PIECE - 1, 151, PIECE), 1);
    cold_from = INT64_MAX;
}

static void device_is_that_of_stat(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(fstat(f->fd, &st), 0);
    assert_true(file_device(f->fd) == st.st_dev);
    assert_true(file_device(-1) == 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_that_was_written_is_resident),
        TEST(cold_file_is_not_resident),
        TEST(three_ways_see_where_it_ends),
        TEST(piece_in_the_middle_is_seen_from_its_begin),
        TEST(hole_is_seen),
        TEST(fetched_range_is_resident),
        TEST(fetch_leaves_no_holes_between_steps),
        TEST(fetch_of_what_is_not_there_fails),
        TEST(cold_bytes_are_not_waited_for),
        TEST(resident_bytes_are_read),
        TEST(page_that_is_there_in_part_is_not_more_than_was_asked),
        TEST(device_is_that_of_stat),
    };
    return cmocka_run_group_tests_name("file_residency", tests, NULL, NULL);
}
