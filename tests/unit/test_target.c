#include "parser/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Decodes in memory of exactly the raw path's size. */
static enum verdict_id decode(const char *raw, char **ret, size_t *ret_len)
{
    struct str s = str_from(raw);
    char *out = malloc(s.len);
    assert_non_null(out);
    enum verdict_id v = target_decode_path(s, out, ret_len);
    *ret = out;
    return v;
}

static void assert_path(const char *raw, const char *decoded)
{
    char *out;
    size_t len;
    assert_int_equal(decode(raw, &out, &len), VERDICT_NONE);
    if (!str_equal((struct str){out, len}, str_from(decoded)))
        fail_msg("%s becomes %.*s", raw, (int)len, out);
    free(out);
    if (target_path_is_plain(str_from(raw)))
        assert_string_equal(raw, decoded);
}

static void assert_bad_path(const char *raw, enum verdict_id want)
{
    char *out;
    size_t len;
    assert_false(target_path_is_plain(str_from(raw)));
    assert_int_equal(decode(raw, &out, &len), want);
    free(out);
}

static void plain_path_stays_as_it_is(void **state)
{
    (void)state;
    assert_path("/", "/");
    assert_path("/a/b.c/", "/a/b.c/");
    assert_path("/.well-known/x", "/.well-known/x");
    assert_path("/..a/...", "/..a/...");
    assert_path("/.a/b./c.", "/.a/b./c.");
    assert_true(target_path_is_plain(STR("/a/b.c/")));
}

static void escapes_are_decoded_once(void **state)
{
    (void)state;
    assert_path("/%61%2B%7e", "/a+~");
    assert_path("/%2541", "/%41");
    assert_path("/a+b", "/a+b");
    assert_path("/%ff%0a", "/\xff\n");
}

static void dot_segments_are_resolved(void **state)
{
    (void)state;
    assert_path("/a/./b", "/a/b");
    assert_path("/a/../b", "/b");
    assert_path("/a/b/../../c", "/c");
    assert_path("/a/.", "/a/");
    assert_path("/a/..", "/");
    assert_path("/a/b/..", "/a/");
    assert_path("/.", "/");
    assert_path("/./", "/");
}

static void escaped_dots_and_slashes_are_resolved_too(void **state)
{
    (void)state;
    assert_path("/a/%2e/b", "/a/b");
    assert_path("/a/.%2E/b", "/b");
    assert_path("/a%2f..%2Fb", "/b");
    assert_path("/a%2F%2fb", "/a/b");
}

static void slashes_are_joined(void **state)
{
    (void)state;
    assert_path("//", "/");
    assert_path("//a///b//", "/a/b/");
    assert_path("/a//../b", "/b");
    assert_path("/a/.//b", "/a/b");
}

static void path_cannot_leave_the_root(void **state)
{
    (void)state;
    assert_bad_path("/..", VERDICT_PATH_ABOVE_ROOT);
    assert_bad_path("/../", VERDICT_PATH_ABOVE_ROOT);
    assert_bad_path("//..", VERDICT_PATH_ABOVE_ROOT);
    assert_bad_path("/a/../../a", VERDICT_PATH_ABOVE_ROOT);
    assert_bad_path("/./..", VERDICT_PATH_ABOVE_ROOT);
    assert_bad_path("/%2e%2e", VERDICT_PATH_ABOVE_ROOT);
}

static void malformed_escapes_are_refused(void **state)
{
    (void)state;
    assert_bad_path("/%", VERDICT_BAD_ESCAPE);
    assert_bad_path("/%1", VERDICT_BAD_ESCAPE);
    assert_bad_path("/%1x", VERDICT_BAD_ESCAPE);
    assert_bad_path("/%x1", VERDICT_BAD_ESCAPE);
    assert_bad_path("/%%41", VERDICT_BAD_ESCAPE);
    assert_bad_path("/%00", VERDICT_NUL_ESCAPE);
}

static void question_mark_in_the_query_belongs_to_it(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(target_split(STR("/a?b?c"), METHOD_GET, &t), VERDICT_NONE);
    assert_int_equal(t.path.len, 2);
    assert_int_equal(t.query.off, 3);
    assert_int_equal(t.query.len, 3);
}

static void origin_form_may_look_like_an_authority(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(target_split(STR("//b/c"), METHOD_GET, &t), VERDICT_NONE);
    assert_int_equal(t.form, TARGET_ORIGIN);
    assert_int_equal(t.path.len, 5);
    assert_int_equal(t.authority.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_path_stays_as_it_is),
        cmocka_unit_test(escapes_are_decoded_once),
        cmocka_unit_test(dot_segments_are_resolved),
        cmocka_unit_test(escaped_dots_and_slashes_are_resolved_too),
        cmocka_unit_test(slashes_are_joined),
        cmocka_unit_test(path_cannot_leave_the_root),
        cmocka_unit_test(malformed_escapes_are_refused),
        cmocka_unit_test(question_mark_in_the_query_belongs_to_it),
        cmocka_unit_test(origin_form_may_look_like_an_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
