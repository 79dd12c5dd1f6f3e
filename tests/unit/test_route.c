#include "httpd/http/route.h"

#include "httpd/guard/tokens.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct place {
    struct temp_folder folder;
    char tokens[300];
    struct route_config routes[2];
    struct config config;
    struct route_table table;
    char error[1024];
};

static int begin(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    temp_folder_init(&p->folder);
    snprintf(p->tokens, sizeof p->tokens, "%s/tokens", p->folder.path);
    p->routes[0] = (struct route_config){.prefix = "/lab/", .lab = true};
    p->routes[1] = (struct route_config){
        .prefix = "/lab/s/", .lab = true, .tokens = p->tokens};
    p->config = (struct config){.routes = p->routes, .routes_n = 2};
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;
    temp_folder_fini(&p->folder);
    free(p);
    return 0;
}

static bool init(struct place *p)
{
    return route_table_init(&p->table, &p->config, p->error, sizeof p->error);
}

static void longest_prefix_wins(void **state)
{
    struct place *p = *state;
    p->routes[1].tokens = "";
    assert_true(init(p));
    const struct route *r = route_find(&p->table, STR("/lab/s/x"));
    assert_non_null(r);
    assert_true(str_equal(r->prefix, STR("/lab/s/")));
    assert_true(str_equal(route_rest(r, STR("/lab/s/x")), STR("x")));
    r = route_find(&p->table, STR("/lab/x"));
    assert_non_null(r);
    assert_true(str_equal(r->prefix, STR("/lab/")));
    assert_null(route_find(&p->table, STR("/lab")));
    assert_true(route_is_folder_of(&p->table, STR("/lab")));
    route_table_fini(&p->table);
}

static void tokens_belong_to_the_route_that_names_them(void **state)
{
    struct place *p = *state;
    struct token_offer none = {0};
    temp_folder_write(&p->folder, "tokens", "read public news\n");
    assert_true(init(p));
    const struct route *r = route_find(&p->table, STR("/lab/s/news"));
    assert_non_null(r->tokens);
    assert_int_equal(tokens_check(r->tokens, &none, TOKEN_READ, STR("news")),
                     TOKEN_OK);
    assert_null(route_find(&p->table, STR("/lab/x"))->tokens);
    route_table_fini(&p->table);
}

static void fault_in_tokens_names_route_file_and_line(void **state)
{
    struct place *p = *state;
    char said[1024];
    temp_folder_write(&p->folder, "tokens", "\nread public /x\n");
    assert_false(init(p));
    snprintf(said, sizeof said,
             "route \"/lab/s/\": tokens: %s:2: has a prefix with '/' in front; "
             "names begin behind the route's, like \"chat/\"",
             p->tokens);
    assert_string_equal(p->error, said);
    assert_int_equal(p->table.n, 0);
}

static void folder_that_is_not_there_ends_what_was_prepared(void **state)
{
    struct place *p = *state;
    temp_folder_write(&p->folder, "tokens", "read public news\n");
    p->routes[0] = p->routes[1];
    p->routes[1] = (struct route_config){
        .prefix = "/", .files = p->tokens, .streams = "", .tokens = p->tokens};
    assert_false(init(p));
    assert_non_null(strstr(p->error, "route \"/\": files \""));
    assert_non_null(strstr(p->error, "Not a directory"));
    assert_null(p->table.routes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(longest_prefix_wins),
        TEST(tokens_belong_to_the_route_that_names_them),
        TEST(fault_in_tokens_names_route_file_and_line),
        TEST(folder_that_is_not_there_ends_what_was_prepared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
