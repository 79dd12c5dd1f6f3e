#include "httpd/config/config.h"

#include "httpd/config/directive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAB_ROUTE "route \"/\" { lab = true }\n"

/* A folder of its own with one configuration file in it. */
struct place {
    char dir[64];
    char path[96];
    char *errors;
};

static int begin(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    strcpy(p->dir, "/tmp/sluice-config.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/t.conf", p->dir);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;
    unlink(p->path);
    rmdir(p->dir);
    free(p->errors);
    free(p);
    return 0;
}

static struct config *load_bytes(struct place *p, const char *text, size_t len)
{
    size_t errors_len = 0;
    FILE *out = fopen(p->path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
    free(p->errors);
    FILE *errors = open_memstream(&p->errors, &errors_len);
    assert_non_null(errors);
    struct config *config = config_load(p->path, errors);
    fclose(errors);
    return config;
}

static struct config *load(struct place *p, const char *text)
{
    return load_bytes(p, text, strlen(text));
}

/* The text is accepted without a word. */
static struct config *accept(struct place *p, const char *text)
{
    struct config *config = load(p, text);
    assert_string_equal(p->errors, "");
    assert_non_null(config);
    return config;
}

/* The text is refused, with this as its only error. */
static void refuse(struct place *p, const char *text, const char *error)
{
    char whole[512];
    struct config *config = load(p, text);
    snprintf(whole, sizeof(whole), "%s:%s\n", p->path, error);
    assert_string_equal(p->errors, whole);
    assert_null(config);
}

static char *dump(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    config_dump(config, out);
    fclose(out);
    return text;
}

static void defaults_fill_what_is_not_said(void **state)
{
    struct config *c = accept(*state, LAB_ROUTE);
    assert_int_equal(c->listen.n, 1);
    assert_string_equal(c->listen.at[0], "127.0.0.1:8080");
    assert_int_equal(c->workers, 0);
    assert_int_equal(c->head_bytes_max, 16384);
    assert_int_equal(c->idle_timeout_ms, 60000);
    assert_string_equal(c->access_log, "off");
    assert_int_equal(c->routes_n, 1);
    assert_int_equal(c->routes[0].body_bytes_max, 64ull << 30);
    assert_int_equal(c->routes[0].index.n, 1);
    assert_true(c->routes[0].gzip);
    config_free(c);
}

static void every_kind_of_value_is_read(void **state)
{
    struct config *c = accept(
        *state, "listen = {127.0.0.1:0, \"[::1]:80\"}\nworkers = 3\n"
                "idle_timeout = 1.5s\nhead_bytes_max = 32K\n"
                "access_log = stderr\n"
                "route \"/\" { lab = yes sndbuf = 8k browse = on index = {} }");
    assert_int_equal(c->listen.n, 2);
    assert_string_equal(c->listen.at[1], "[::1]:80");
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->idle_timeout_ms, 1500);
    assert_int_equal(c->head_bytes_max, 32768);
    assert_string_equal(c->access_log, "stderr");
    assert_int_equal(c->routes[0].sndbuf, 8192);
    assert_true(c->routes[0].browse);
    assert_int_equal(c->routes[0].index.n, 0);
    config_free(c);
}

static void every_default_lies_within_its_bounds(void **state)
{
    (void)state;
    struct directive_fault fault;
    for (size_t i = 0; i < directives_n; i++) {
        if (directives[i].type == DIRECTIVE_LIST)
            continue;
        if (!directive_read(&directives[i], directives[i].def, NULL, &fault))
            fail_msg("%s", fault.text);
    }
}

static void routes_keep_their_order(void **state)
{
    struct config *c =
        accept(*state, "route \"/b/\" { lab = true }\n"
                       "route \"/a/\" { files = \"/srv\" queue_low = 1k }\n");
    assert_int_equal(c->routes_n, 2);
    assert_string_equal(c->routes[0].prefix, "/b/");
    assert_string_equal(c->routes[1].prefix, "/a/");
    assert_int_equal(c->routes[0].queue_low, 16384);
    assert_int_equal(c->routes[1].queue_low, 1024);
    config_free(c);
}

static void unknown_directive_names_the_nearest(void **state)
{
    refuse(*state, LAB_ROUTE "idle_timout = 3s\n",
           "2: unknown directive idle_timout; did you mean idle_timeout?");
    refuse(*state, LAB_ROUTE "elephant = {1, 2}\n",
           "2: unknown directive elephant; `sluice directives` lists them");
}

static void directive_in_the_wrong_place_is_told_the_right_one(void **state)
{
    refuse(*state, "gzip = false\n" LAB_ROUTE,
           "1: gzip does not belong here; put it into a route \"/prefix/\" "
           "{ }");
    refuse(*state, "route \"/\" {\n lab = true\n workers = 2\n}\n",
           "3: workers does not belong here; put it outside of the routes, at "
           "the top level");
}

static void value_of_the_wrong_kind_is_refused(void **state)
{
    refuse(*state, LAB_ROUTE "workers = many",
           "2: workers: \"many\" is not a whole number; write auto, or digits "
           "only");
    refuse(*state, LAB_ROUTE "head_timeout = 5x",
           "2: head_timeout: \"5x\" is not a time; write it like 250ms, 10s, "
           "5m or 2h");
    refuse(*state, LAB_ROUTE "head_bytes_max = -1",
           "2: head_bytes_max: \"-1\" is not a size; write it like 4096, 64k, "
           "10m or 1g");
    refuse(*state, "route \"/\" { lab = true gzip = perhaps }",
           "1: gzip: \"perhaps\" is not a truth value; write true or false");
}

static void value_out_of_bounds_is_told_the_bounds(void **state)
{
    refuse(*state, LAB_ROUTE "workers = 257",
           "2: workers: 257 is out of bounds; it may be auto, or 1 to 256");
    refuse(*state, LAB_ROUTE "head_bytes_max = 1023",
           "2: head_bytes_max: 1023 is out of bounds; it may be 1k to 64k");
    refuse(*state, LAB_ROUTE "drain_timeout = 2h",
           "2: drain_timeout: 2h is out of bounds; it may be 0 to 1h");
    refuse(*state, "route \"/\" { lab = true sndbuf = 0 }",
           "1: sndbuf: 0 is out of bounds; it may be auto, or 4k to 1g");
}

static void list_with_too_many_or_too_few_is_refused(void **state)
{
    refuse(*state, LAB_ROUTE "listen = {}", " listen: too few; 1 at least");
    refuse(*state,
           LAB_ROUTE "listen = {a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,"
                     "a:10,a:11,a:12,a:13,a:14,a:15,a:16,a:17,a:18}",
           "2: listen: too many; 16 at most");
}

static void route_without_handler_or_with_two_is_refused(void **state)
{
    refuse(*state, "route \"/a/\" {\n}\n",
           "2: route \"/a/\" has no handler; give it files = \"FOLDER\", lab = "
           "true, status = true or streams = \"strict\"");
    refuse(*state, "route \"/a/\" { lab = true files = \"/srv\" }\n",
           "1: route \"/a/\" has two handlers; keep one of files, lab, "
           "status and streams");
    refuse(*state, "route \"/a/\" { lab = true status = true }\n",
           "1: route \"/a/\" has two handlers; keep one of files, lab, "
           "status and streams");
}

static void status_alone_is_a_handler(void **state)
{
    struct config *c = accept(*state, "route \"/a/\" { status = true }\n");
    assert_true(c->routes[0].status);
    config_free(c);
}

static void size_that_is_off_is_zero(void **state)
{
    struct config *c =
        accept(*state, "route \"/a/\" { lab = true directio = off }\n"
                       "route \"/b/\" { lab = true directio = 64m }\n");
    assert_int_equal(c->routes[0].directio, 0);
    assert_int_equal(c->routes[1].directio, 64u << 20);
    config_free(c);
    refuse(*state, "route \"/a/\" { lab = true directio = auto }\n",
           "1: directio: \"auto\" is not a size; write off, or it like 4096, "
           "64k, 10m or 1g");
    refuse(*state, "route \"/a/\" { lab = true directio = 4k }\n",
           "1: directio: 4k is out of bounds; it may be off, or 1m to "
           "1048576t");
}

static void lower_bound_above_its_upper_one_is_refused(void **state)
{
    refuse(*state, LAB_ROUTE "read_size_min = 512k",
           " read_size_min is above read_size_max; make it smaller");
    refuse(*state, LAB_ROUTE "sendfile_chunk_max = 64k",
           " sendfile_chunk_min is above sendfile_chunk_max; make it smaller");
    refuse(*state, LAB_ROUTE "pool_keep = 128m",
           " pool_keep is above pool_keep_max; make it smaller");
}

static void malformed_prefix_is_refused(void **state)
{
    static const char *const prefixes[] = {"",      "a/",     "/a",    "/a//",
                                           "/../",  "/a/./",  "/a b/", "/a?/",
                                           "/%41/", "/\\x01/"};
    struct place *p = *state;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "route \"%s\" { lab = true }\n",
                 prefixes[i]);
        assert_null(load(p, text));
        assert_non_null(strstr(p->errors, "begins and ends with '/'"));
    }
}

static void prefix_twice_is_refused(void **state)
{
    refuse(*state, LAB_ROUTE LAB_ROUTE,
           "2: route \"/\" is there twice; give each prefix one route");
}

static void more_routes_than_the_limit_are_refused(void **state)
{
    struct place *p = *state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    for (unsigned int i = 0; i < CONFIG_ROUTES_MAX; i++)
        fprintf(out, "route \"/%u/\" { lab = true }\n", i);
    fflush(out);
    struct config *c = accept(p, text);
    assert_int_equal(c->routes_n, CONFIG_ROUTES_MAX);
    config_free(c);
    fputs(LAB_ROUTE, out);
    fclose(out);
    refuse(p, text, "65: too many routes; 64 at most");
    free(text);
}

static void low_mark_above_the_high_mark_is_refused(void **state)
{
    refuse(*state, "route \"/\" { lab = true\nqueue_high = 8k }",
           "2: route \"/\" has queue_low above queue_high; make it smaller");
    config_free(accept(
        *state, "route \"/\" { lab = true queue_high = 8k queue_low = 8k }"));
}

static void cache_control_that_would_break_a_head_is_refused(void **state)
{
    refuse(*state,
           "route \"/\" { lab = true\ncache_control = \"a\\r\\nb: c\" }",
           "2: route \"/\" has a cache_control that is no field value; "
           "printable ASCII, 1024 bytes at most");
}

static void address_that_is_not_host_and_port_is_refused(void **state)
{
    static const char *const wrong[] = {
        "8080",  "localhost", ":80",   "a:",    "a:80 ",      "a:+80",
        "a:-1",  "a:65536",   "::1:8", "[::1]", "[::1:80",    "[]:80",
        "a b:1", "[::1]x:80", "a:8x",  "a:1/",  "http://a:80"};
    static const char *const right[] = {"127.0.0.1:0", "[::]:65535",
                                        "localhost:8080", "a-b.example:1",
                                        "[fe80::1%eth0]:80"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(config_listen_fault(wrong[i]));
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_null(config_listen_fault(right[i]));
}

static void configured_address_with_a_wrong_port_names_the_line(void **state)
{
    refuse(*state, "\nlisten = 127.0.0.1:99999\n" LAB_ROUTE,
           "2: listen: \"127.0.0.1:99999\" has no such port; it is a number "
           "from 0 to 65535");
}

static void all_errors_are_told_at_once_in_order(void **state)
{
    struct place *p = *state;
    assert_null(load(p, "workers = x\nfoo = 1\nroute \"/\" {\nlab = true\n"
                        "bar = {}\ngzip_level = 11\n}\nbaz = 3\n"));
    static const char *const lines[] = {":1: ", ":2: ", ":5: ", ":6: ", ":8: "};
    const char *at = p->errors;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        at = strstr(at, lines[i]);
        assert_non_null(at);
    }
    size_t told = 0;
    for (at = strchr(p->errors, '\n'); at; at = strchr(at + 1, '\n'))
        told++;
    assert_int_equal(told, sizeof(lines) / sizeof(lines[0]));
}

static void comments_of_all_kinds_do_not_shift_the_lines(void **state)
{
    refuse(*state,
           "# one { \" '\n// two\n/* three\n four { */ " LAB_ROUTE
           "listen = { # in a list\n\"a:1\", // \"\n\"b:2\" }\n"
           "access_log = \"a#b//c\" workers = 0\n",
           "8: workers: 0 is out of bounds; it may be auto, or 1 to 256");
}

static void what_is_never_closed_is_named_where_it_began(void **state)
{
    refuse(*state, "workers = 1\nroute \"/\" {\nlab = true\n",
           "2: { is never closed; write its other half");
    refuse(*state, LAB_ROUTE "access_log = \"a\n\n",
           "2: \" is never closed; write its other half");
    refuse(*state, "access_log = 'a\\",
           "1: ' is never closed; write its "
           "other half");
    refuse(*state, LAB_ROUTE "\n/* a *",
           "3: /* is never closed; write its other half");
}

static void broken_grammar_is_refused(void **state)
{
    refuse(*state, LAB_ROUTE "}", "2: a } without its {; take it away");
    refuse(*state, LAB_ROUTE "workers",
           "2: the file ends too early; write NAME = VALUE");
    refuse(*state, LAB_ROUTE "workers = 1,",
           "2: \",\" does not belong here; write NAME = VALUE, or a list as "
           "{\"a\", \"b\"}");
    refuse(*state, LAB_ROUTE "workers += 1",
           "2: workers is no list; write = in place of +=");
    refuse(*state, "route { lab = true }",
           "1: route has no prefix; write route \"/prefix/\" { }");
    refuse(*state, "sauce { x = 1 }",
           "1: unknown directive sauce; `sluice directives` lists them");
}

static void empty_file_is_told_to_have_a_route(void **state)
{
    refuse(*state, "",
           " no route; add one like route \"/\" { files = \"www\" }");
}

static void file_that_is_missing_or_a_folder_is_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nonexistent/x.conf", "/tmp"};
    for (size_t i = 0; i < 2; i++) {
        char text[256] = "";
        FILE *errors = fmemopen(text, sizeof(text), "w");
        assert_non_null(errors);
        assert_null(config_load(paths[i], errors));
        fclose(errors);
        assert_non_null(strstr(text, "cannot be read: "));
    }
}

static void file_with_zero_bytes_or_too_large_is_refused(void **state)
{
    struct place *p = *state;
    static const char zero[] = LAB_ROUTE "\0workers = x";
    assert_null(load_bytes(p, zero, sizeof(zero) - 1));
    assert_non_null(strstr(p->errors, "holds zero bytes"));
    size_t len = CONFIG_FILE_BYTES_MAX;
    char *large = malloc(len + 1);
    assert_non_null(large);
    memset(large, ' ', len + 1);
    memcpy(large, LAB_ROUTE, strlen(LAB_ROUTE));
    struct config *c = load_bytes(p, large, len);
    assert_non_null(c);
    config_free(c);
    assert_null(load_bytes(p, large, len + 1));
    assert_non_null(strstr(p->errors, "too large"));
    free(large);
}

static void control_bytes_in_a_value_do_not_reach_the_terminal(void **state)
{
    refuse(*state, LAB_ROUTE "workers = \"a\\x1b[2J\"",
           "2: workers: \"a?[2J\" is not a whole number; write auto, or digits "
           "only");
}

static void relative_paths_begin_at_the_folder_of_the_file(void **state)
{
    struct place *p = *state;
    char expected[256];
    char *real = realpath(p->dir, NULL);
    assert_non_null(real);
    struct config *c = accept(p, "mime_types = \"m\"\naccess_log = \"log/a\"\n"
                                 "route \"/\" { files = \"../www\" }\n"
                                 "route \"/abs/\" { files = \"/srv\" }\n"
                                 "route \"/lab/\" "
                                 "{ lab = true }\n");
    snprintf(expected, sizeof(expected), "%s/../www", real);
    assert_string_equal(c->routes[0].files, expected);
    snprintf(expected, sizeof(expected), "%s/log/a", real);
    assert_string_equal(c->access_log, expected);
    snprintf(expected, sizeof(expected), "%s/m", real);
    assert_string_equal(c->mime_types, expected);
    assert_string_equal(c->routes[1].files, "/srv");
    assert_string_equal(c->routes[2].files, "");
    assert_string_equal(c->path, p->path);
    config_free(c);
    free(real);
}

/* dump, load, dump */
static void check_dump(struct place *p, struct config *config)
{
    char *first = dump(config);
    struct config *again = accept(p, first);
    char *second = dump(again);
    assert_string_equal(first, second);
    free(first);
    free(second);
    config_free(again);
    config_free(config);
}

static void dump_of_the_defaults_loads_to_the_same(void **state)
{
    check_dump(*state, accept(*state, LAB_ROUTE));
}

static void dump_of_awkward_values_loads_to_the_same(void **state)
{
    struct place *p = *state;
    struct config *c = accept(
        p, "workers = auto connections_max = 7\n"
           "listen = {\"[::1]:0\", 0.0.0.0:80} drain_timeout = 0\n"
           "body_rate_min = 0 idle_timeout = 1.234s rate_window = 90s\n"
           "access_log = 'q\"b\\\\ ${HOME} # \t\n x'\n"
           "route \"/$a\\\"b\\\\/\" { files = \"/a b\\x01\\xc3\\xa9\\n\"\n"
           " index = {\"a\", 'b c'} cache_control = 'max-age=\"5\"'\n"
           " body_bytes_max = 1048576t sndbuf = 5000 queue_low = 0 }\n"
           "route \"/e/\" { lab = true index = {} }\n");
    assert_non_null(strstr(c->access_log, "q\"b\\ ${HOME} # \t\n x"));
    assert_string_equal(c->routes[0].prefix, "/$a\"b\\/");
    assert_string_equal(c->routes[0].files, "/a b\x01\xc3\xa9\n");
    check_dump(p, c);
}

static void folder_needs_no_file(void **state)
{
    static const char *const listen[] = {"127.0.0.1:0", "[::1]:0"};
    struct config *c = config_for_folder("/usr/share/", listen, 2, true);
    (void)state;
    assert_non_null(c);
    assert_null(c->path);
    assert_int_equal(c->listen.n, 2);
    assert_string_equal(c->listen.at[0], "127.0.0.1:0");
    assert_int_equal(c->routes_n, 1);
    assert_string_equal(c->routes[0].prefix, "/");
    assert_string_equal(c->routes[0].files, "/usr/share");
    assert_true(c->routes[0].browse);
    config_free(c);
    c = config_for_folder("/tmp", NULL, 0, false);
    assert_non_null(c);
    assert_int_equal(c->listen.n, 1);
    assert_string_equal(c->listen.at[0], "127.0.0.1:8080");
    assert_false(c->routes[0].browse);
    check_dump(*state, c);
}

static void reference_holds_every_directive_once(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    config_reference(out);
    fclose(out);
    for (size_t i = 0; i < directives_n; i++) {
        char row[64];
        snprintf(row, sizeof(row), "\n| `%s` | ", directives[i].name);
        char *at = strstr(text, row);
        assert_non_null(at);
        assert_null(strstr(at + 1, row));
    }
    free(text);
}

static void annotated_example_is_valid_and_names_every_directive(void **state)
{
    (void)state;
    struct config *c = config_load("conf/sluice.conf", stderr);
    assert_non_null(c);
    config_free(c);
    char *text = calloc(1, CONFIG_FILE_BYTES_MAX);
    assert_non_null(text);
    FILE *in = fopen("conf/sluice.conf", "r");
    assert_non_null(in);
    assert_true(fread(text, 1, CONFIG_FILE_BYTES_MAX - 1, in) > 0);
    fclose(in);
    for (size_t i = 0; i < directives_n; i++) {
        char setting[64];
        snprintf(setting, sizeof(setting), " %s = ", directives[i].name);
        if (!strstr(text, setting) && !strstr(text, setting + 1))
            fail_msg("%s is not in conf/sluice.conf", directives[i].name);
    }
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_fill_what_is_not_said),
        TEST(every_kind_of_value_is_read),
        TEST(every_default_lies_within_its_bounds),
        TEST(routes_keep_their_order),
        TEST(unknown_directive_names_the_nearest),
        TEST(directive_in_the_wrong_place_is_told_the_right_one),
        TEST(value_of_the_wrong_kind_is_refused),
        TEST(value_out_of_bounds_is_told_the_bounds),
        TEST(list_with_too_many_or_too_few_is_refused),
        TEST(route_without_handler_or_with_two_is_refused),
        TEST(status_alone_is_a_handler),
        TEST(size_that_is_off_is_zero),
        TEST(lower_bound_above_its_upper_one_is_refused),
        TEST(malformed_prefix_is_refused),
        TEST(prefix_twice_is_refused),
        TEST(more_routes_than_the_limit_are_refused),
        TEST(low_mark_above_the_high_mark_is_refused),
        TEST(cache_control_that_would_break_a_head_is_refused),
        TEST(address_that_is_not_host_and_port_is_refused),
        TEST(configured_address_with_a_wrong_port_names_the_line),
        TEST(all_errors_are_told_at_once_in_order),
        TEST(comments_of_all_kinds_do_not_shift_the_lines),
        TEST(what_is_never_closed_is_named_where_it_began),
        TEST(broken_grammar_is_refused),
        TEST(empty_file_is_told_to_have_a_route),
        TEST(file_that_is_missing_or_a_folder_is_refused),
        TEST(file_with_zero_bytes_or_too_large_is_refused),
        TEST(control_bytes_in_a_value_do_not_reach_the_terminal),
        TEST(relative_paths_begin_at_the_folder_of_the_file),
        TEST(dump_of_the_defaults_loads_to_the_same),
        TEST(dump_of_awkward_values_loads_to_the_same),
        TEST(folder_needs_no_file),
        TEST(reference_holds_every_directive_once),
        TEST(annotated_example_is_valid_and_names_every_directive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
