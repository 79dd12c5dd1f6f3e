#include "parser/authority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_all(const char *const *texts, size_t n, bool valid)
{
    for (size_t i = 0; i < n; i++)
        if (authority_is_valid(str_from(texts[i])) != valid)
            fail_msg("%s is %s", texts[i], valid ? "refused" : "accepted");
}

#define ASSERT_ALL(valid, ...)                                                 \
    do {                                                                       \
        static const char *const texts[] = {__VA_ARGS__};                      \
        assert_all(texts, sizeof texts / sizeof texts[0], valid);              \
    } while (0)

static void names_and_addresses_are_accepted(void **state)
{
    (void)state;
    ASSERT_ALL(true, "a", "example.org", "EXAMPLE.org.", "127.0.0.1", "a_b~c-d",
               "%41b", "a!$&'()*+,;=", "xn--bcher-kva.example");
}

static void ipv6_stands_in_brackets(void **state)
{
    (void)state;
    ASSERT_ALL(true, "[::]", "[::1]", "[2001:db8::1]:80", "[::ffff:1.2.3.4]");
    ASSERT_ALL(false, "::1", "[]", "[", "]", "[::1", "[::1]]", "[[::1]]",
               "[1.2.3.4]", "[:::]", "[::1%25eth0]", "[::1%eth0]", "[v1.a]",
               "[1:2:3:4:5:6:7:8:9]", "[::1]a", "a[::1]",
               "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]");
}

static void port_is_at_most_65535(void **state)
{
    (void)state;
    ASSERT_ALL(true, "a:", "a:0", "a:80", "a:65535", "a:00080");
    ASSERT_ALL(false, "a:65536", "a:100000", "a:000080", "a:-1", "a:+1", "a: 1",
               "a:1 ", "a:0x1", "a:80:80", "a::");
}

static void what_is_no_host_is_refused(void **state)
{
    (void)state;
    ASSERT_ALL(false, "", ":", ":80", "a@b", "a:b@c", "a/b", "a?b", "a#b",
               "a b", " a", "a\\b", "a<", "\x80", "a\x7f", "a\t", "%", "%4",
               "%4x", "a\"", "a^", "a|b", "a`b", "{a}");
}

static void nul_is_refused_inside_brackets(void **state)
{
    (void)state;
    assert_false(authority_is_valid(STR("[::1\0]")));
    assert_false(authority_is_valid(STR("a\0b")));
}

static void port_can_be_asked_for(void **state)
{
    (void)state;
    assert_true(authority_is_valid_with_port(STR("a:1")));
    assert_true(authority_is_valid_with_port(STR("[::1]:443")));
    assert_false(authority_is_valid_with_port(STR("a")));
    assert_false(authority_is_valid_with_port(STR("a:")));
    assert_false(authority_is_valid_with_port(STR(":1")));
    assert_false(authority_is_valid_with_port(STR("")));
}

static void loopback_is_told_from_what_looks_like_it(void **state)
{
    static const char *const own[] = {
        "localhost",      "LocalHost:80", "app.localhost", "127.0.0.1",
        "127.1.2.3:8080", "[::1]",        "[::1]:443",
    };
    static const char *const others[] = {
        "",
        "evil.test",
        "localhost.evil.test",
        "notlocalhost",
        "127.evil.test",
        "127.0.0.1.evil.test",
        "128.0.0.1",
        "[::2]",
        "[::1].evil",
        "127.0.0.1@evil.test",
        "localhost:80:80",
        "0.0.0.0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!authority_is_loopback(str_from(own[i])))
            fail_msg("%s is refused", own[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (authority_is_loopback(str_from(others[i])))
            fail_msg("%s is accepted", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_addresses_are_accepted),
        cmocka_unit_test(ipv6_stands_in_brackets),
        cmocka_unit_test(port_is_at_most_65535),
        cmocka_unit_test(what_is_no_host_is_refused),
        cmocka_unit_test(nul_is_refused_inside_brackets),
        cmocka_unit_test(port_can_be_asked_for),
        cmocka_unit_test(loopback_is_told_from_what_looks_like_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
