#include "httpd/config/config.h"

#include "httpd/streams/stream.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int begin(void **state)
{
    struct temp_folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_folder_init(f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    temp_folder_fini(*state);
    free(*state);
    return 0;
}

/* Of a route "/s/" with these directives. */
static struct config *load(struct temp_folder *f, const char *directives,
                           char **ret_errors)
{
    char text[512];
    char path[300];
    size_t len = 0;
    snprintf(text, sizeof text, "route \"/s/\" {\n%s\n}\n", directives);
    snprintf(path, sizeof path, "%s/t.conf", f->path);
    temp_folder_write(f, "t.conf", text);
    FILE *errors = open_memstream(ret_errors, &len);
    assert_non_null(errors);
    struct config *config = config_load(path, errors);
    fclose(errors);
    return config;
}

static struct config *accept(struct temp_folder *f, const char *directives)
{
    char *errors = NULL;
    struct config *config = load(f, directives, &errors);
    assert_string_equal(errors, "");
    assert_non_null(config);
    free(errors);
    return config;
}

/* The one error is that the route is such. */
static void refuse(struct temp_folder *f, const char *directives,
                   const char *said)
{
    char *errors = NULL;
    char whole[512];
    assert_null(load(f, directives, &errors));
    const char *route = strstr(errors, "route ");
    assert_non_null(route);
    snprintf(whole, sizeof whole, "route \"/s/\" %s\n", said);
    assert_string_equal(route, whole);
    free(errors);
}

static void names_are_read_back_as_they_are_written(void **state)
{
    (void)state;
    for (int i = POLICY_DROP_OLDEST; i <= POLICY_GROW; i++) {
        enum stream_policy policy;
        struct str name = str_from(stream_policy_name((enum stream_policy)i));
        assert_true(stream_policy_read(name, &policy));
        assert_int_equal(policy, i);
    }
    enum slow_reader slow;
    assert_true(slow_reader_read(STR("disconnect"), &slow));
    assert_int_equal(slow, SLOW_DISCONNECT);
    assert_true(slow_reader_read(STR("skip"), &slow));
    assert_int_equal(slow, SLOW_SKIP);
    assert_false(slow_reader_read(STR("skips"), &slow));
    assert_int_equal(slow, SLOW_SKIP);
    enum stream_policy policy = POLICY_REJECT;
    assert_false(stream_policy_read(STR(""), &policy));
    assert_false(stream_policy_read(STR("Block"), &policy));
    assert_false(stream_policy_read(STR("blocks"), &policy));
    assert_int_equal(policy, POLICY_REJECT);
    assert_string_equal(stream_policy_name(POLICY_DROP_OLDEST), "drop-oldest");
}

static void both_mounts_are_accepted_with_all_their_words(void **state)
{
    config_free(accept(*state, "streams = strict"));
    struct config *c = accept(
        *state, "streams = friendly policy = block policies = {grow, reject}\n"
                "slow_reader = skip burst = \"-64k\"\n"
                "lag_hard = 8m lag_soft = 1m");
    assert_int_equal(c->routes[0].policies.n, 2);
    config_free(c);
    config_free(accept(*state, "streams = friendly burst = start"));
    config_free(accept(*state, "streams = friendly burst = \"-10s\""));
}

static void words_without_meaning_are_refused_with_those_that_have(void **state)
{
    refuse(*state, "streams = strikt",
           "has streams that are no mount; write \"strict\" or \"friendly\"");
    refuse(*state, "streams = strict policy = drop",
           "has a policy that is none; write drop-oldest, block, reject or "
           "grow");
    refuse(*state, "streams = strict policies = {block, drop}",
           "has policies with one that is none; list some of drop-oldest, "
           "block, reject and grow");
    refuse(*state, "streams = strict slow_reader = wait",
           "has a slow_reader that is none; write disconnect or skip");
    refuse(*state, "streams = strict slow_reader = \"\"",
           "has a slow_reader that is none; write disconnect or skip");
    refuse(*state, "streams = strict burst = 10s",
           "has a burst that is none; write now, start, bytes like -64k or "
           "time like -10s");
    refuse(*state, "lab = true policy = drop",
           "has a policy that is none; write drop-oldest, block, reject or "
           "grow");
}

static void bounds_that_cross_are_refused(void **state)
{
    refuse(*state, "streams = strict stream_bytes = 512m",
           "has stream_bytes above stream_bytes_max; make it smaller");
    refuse(*state, "streams = strict lag_hard = 1m lag_soft = 2m",
           "has lag_soft above lag_hard; make it smaller");
    config_free(accept(*state, "streams = strict lag_soft = 2m"));
}

static void tokens_are_for_streams_and_begin_at_the_folder(void **state)
{
    struct temp_folder *f = *state;
    char *real = realpath(f->path, NULL);
    char path[600];
    refuse(f, "lab = true tokens = t",
           "has tokens but no streams; they guard nothing else, take them out");
    struct config *c = accept(f, "streams = strict tokens = secret/t");
    snprintf(path, sizeof path, "%s/secret/t", real);
    assert_string_equal(c->routes[0].tokens, path);
    config_free(c);
    c = accept(f, "streams = strict");
    assert_string_equal(c->routes[0].tokens, "");
    config_free(c);
    free(real);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(names_are_read_back_as_they_are_written),
        TEST(both_mounts_are_accepted_with_all_their_words),
        TEST(words_without_meaning_are_refused_with_those_that_have),
        TEST(bounds_that_cross_are_refused),
        TEST(tokens_are_for_streams_and_begin_at_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
