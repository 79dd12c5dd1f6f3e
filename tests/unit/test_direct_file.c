/* Reading past the page cache, in the folder for temporary files. */
#include "buffers/direct_file.h"

#include "tests/support/temp_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK_BYTES (1u << 20)
#define FILE_BYTES  (3u * BLOCK_BYTES + 12345u)
#define PAGE_BYTES  4096u
#define PAGES       ((FILE_BYTES + PAGE_BYTES - 1) / PAGE_BYTES)
#define TMPFS_MAGIC 0x01021994

struct fixture {
    struct temp_folder folder;
    struct direct_file file;
    struct block block;
    int fd;
    char want[FILE_BYTES];
};

static void write_file(struct fixture *f, size_t len)
{
    f->fd = openat(f->folder.fd, "file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(f->fd >= 0);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(f->fd, f->want + done, len - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    assert_int_equal(fsync(f->fd), 0);
}

/* Opens it, or skips the test where O_DIRECT is not to be had. */
static void open_file(struct fixture *f, size_t len)
{
    write_file(f, len);
    if (direct_file_open(&f->file, f->fd))
        return;
    assert_int_equal(errno, EINVAL);
    assert_int_equal(f->file.fd, -1);
    skip();
}

static void close_file(struct fixture *f)
{
    direct_file_close(&f->file);
    close(f->fd);
    f->fd = -1;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    temp_folder_init(&f->folder);
    f->fd = -1;
    f->file.fd = -1;
    f->block.cap = BLOCK_BYTES;
    f->block.data = aligned_alloc(BLOCK_ALIGN_BYTES, BLOCK_BYTES);
    assert_non_null(f->block.data);
    for (size_t i = 0; i < FILE_BYTES; i++)
        f->want[i] = (char)(i * 2654435761u >> 13);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    direct_file_close(&f->file);
    if (f->fd >= 0)
        close(f->fd);
    temp_folder_fini(&f->folder);
    free(f->block.data);
    free(f);
    return 0;
}

static void assert_bytes(const struct fixture *f, uint64_t pos, uint64_t len)
{
    assert_int_equal(f->block.len, len);
    assert_memory_equal(f->block.data, f->want + pos, len);
}

static void read_whole(struct fixture *f)
{
    for (uint64_t pos = 0; pos < FILE_BYTES; pos += BLOCK_BYTES) {
        uint64_t left = FILE_BYTES - pos;
        assert_int_equal(
            direct_file_read(&f->file, pos, BLOCK_BYTES, &f->block), FLOW_DONE);
        assert_bytes(f, pos, left < BLOCK_BYTES ? left : BLOCK_BYTES);
    }
}

static void blocks_hold_the_bytes_of_the_file(void **state)
{
    struct fixture *f = *state;
    open_file(f, FILE_BYTES);
    read_whole(f);
}

static void read_may_begin_at_every_aligned_position(void **state)
{
    struct fixture *f = *state;
    open_file(f, FILE_BYTES);
    for (uint64_t n = 0; n < 40; n++) {
        uint64_t pos = n * f->file.align_bytes;
        assert_int_equal(
            direct_file_read(&f->file, pos, PAGE_BYTES * 3, &f->block),
            FLOW_DONE);
        assert_bytes(f, pos, PAGE_BYTES * 3);
    }
}

static void length_is_rounded_up_for_the_disk(void **state)
{
    struct fixture *f = *state;
    open_file(f, FILE_BYTES);
    assert_int_equal(direct_file_read(&f->file, 0, 1, &f->block), FLOW_DONE);
    assert_bytes(f, 0, f->file.align_bytes);
    assert_int_equal(
        direct_file_read(&f->file, 0, f->file.align_bytes + 1, &f->block),
        FLOW_DONE);
    assert_bytes(f, 0, 2 * f->file.align_bytes);
}

static void last_read_is_as_short_as_the_file(void **state)
{
    static const size_t sizes[] = {1,    511,  512,         513,
                                   4095, 4096, 4097,        BLOCK_BYTES - 1,
                                   8193, 9999, BLOCK_BYTES, BLOCK_BYTES / 2};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        open_file(f, sizes[i]);
        assert_int_equal(direct_file_read(&f->file, 0, BLOCK_BYTES, &f->block),
                         FLOW_DONE);
        assert_bytes(f, 0, sizes[i]);
        close_file(f);
    }
}

static void nothing_is_read_behind_the_end(void **state)
{
    struct fixture *f = *state;
    open_file(f, 3 * PAGE_BYTES);
    uint64_t end = 3 * PAGE_BYTES;
    assert_int_equal(direct_file_read(&f->file, end, 100, &f->block), FLOW_END);
    assert_int_equal(f->block.len, 0);
    assert_int_equal(
        direct_file_read(&f->file, end + BLOCK_BYTES, 100, &f->block),
        FLOW_END);
}

static void file_that_shrank_gives_what_is_left(void **state)
{
    struct fixture *f = *state;
    open_file(f, FILE_BYTES);
    assert_int_equal(ftruncate(f->fd, 5000), 0);
    assert_int_equal(direct_file_read(&f->file, 0, BLOCK_BYTES, &f->block),
                     FLOW_DONE);
    assert_bytes(f, 0, 5000);
}

static void what_was_just_written_is_read(void **state)
{
    struct fixture *f = *state;
    open_file(f, FILE_BYTES);
    memset(f->want + 100, '!', 50000);
    assert_int_equal(pwrite(f->fd, f->want + 100, 50000, 100), 50000);
    assert_int_equal(direct_file_read(&f->file, 0, BLOCK_BYTES, &f->block),
                     FLOW_DONE);
    assert_bytes(f, 0, BLOCK_BYTES);
}

static void given_descriptor_stays_as_it_was(void **state)
{
    struct fixture *f = *state;
    open_file(f, FILE_BYTES);
    assert_int_equal(lseek(f->fd, 77, SEEK_SET), 77);
    assert_int_equal(direct_file_read(&f->file, 0, BLOCK_BYTES, &f->block),
                     FLOW_DONE);
    assert_int_equal(fcntl(f->fd, F_GETFL) & O_DIRECT, 0);
    assert_int_equal(lseek(f->fd, 0, SEEK_CUR), 77);
    assert_int_equal(fcntl(f->file.fd, F_GETFL) & (O_DIRECT | O_ACCMODE),
                     O_DIRECT | O_RDONLY);
    assert_int_equal(fcntl(f->file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void removed_file_can_still_be_opened(void **state)
{
    struct fixture *f = *state;
    write_file(f, FILE_BYTES);
    temp_folder_remove(&f->folder, "file");
    if (!direct_file_open(&f->file, f->fd))
        skip();
    assert_int_equal(direct_file_read(&f->file, 0, PAGE_BYTES, &f->block),
                     FLOW_DONE);
    assert_bytes(f, 0, PAGE_BYTES);
}

static unsigned pages_resident(int fd)
{
    unsigned char in[PAGES];
    unsigned n = 0;
    void *at = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(at != MAP_FAILED);
    assert_int_equal(mincore(at, FILE_BYTES, in), 0);
    munmap(at, FILE_BYTES);
    for (size_t i = 0; i < PAGES; i++)
        n += in[i] & 1u;
    return n;
}

static void page_cache_learns_nothing(void **state)
{
    struct fixture *f = *state;
    struct statfs fs;
    open_file(f, FILE_BYTES);
    assert_int_equal(fstatfs(f->fd, &fs), 0);
    assert_int_equal(posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    if (fs.f_type == TMPFS_MAGIC || pages_resident(f->fd) > 0)
        skip();
    read_whole(f);
    assert_int_equal(pages_resident(f->fd), 0);
}

static void file_system_without_it_refuses(void **state)
{
    (void)state;
    struct direct_file file = {.fd = 5};
    int fd = open("/proc/self/status", O_RDONLY);
    if (fd < 0)
        skip();
    assert_false(direct_file_open(&file, fd));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(file.fd, -1);
    direct_file_close(&file);
    close(fd);
}

static void what_cannot_be_read_has_failed(void **state)
{
    struct fixture *f = *state;
    open_file(f, PAGE_BYTES);
    struct direct_file folder = {f->folder.fd, f->file.align_bytes};
    assert_int_equal(direct_file_read(&folder, 0, PAGE_BYTES, &f->block),
                     FLOW_FAILED);
    assert_int_not_equal(errno, 0);
}

static void positions_are_aligned_downwards(void **state)
{
    (void)state;
    struct direct_file f = {-1, 512};
    assert_int_equal(direct_file_align(&f, 0), 0);
    assert_int_equal(direct_file_align(&f, 511), 0);
    assert_int_equal(direct_file_align(&f, 512), 512);
    assert_int_equal(direct_file_align(&f, (1ull << 40) + 700),
                     (1ull << 40) + 512);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_hold_the_bytes_of_the_file),
        TEST(read_may_begin_at_every_aligned_position),
        TEST(length_is_rounded_up_for_the_disk),
        TEST(last_read_is_as_short_as_the_file),
        TEST(nothing_is_read_behind_the_end),
        TEST(file_that_shrank_gives_what_is_left),
        TEST(what_was_just_written_is_read),
        TEST(given_descriptor_stays_as_it_was),
        TEST(removed_file_can_still_be_opened),
        TEST(page_cache_learns_nothing),
        TEST(file_system_without_it_refuses),
        TEST(what_cannot_be_read_has_failed),
        TEST(positions_are_aligned_downwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
