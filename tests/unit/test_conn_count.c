#include "httpd/guard/conn_count.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sockaddr_storage ipv4(uint32_t address)
{
    struct sockaddr_storage addr = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    in.sin_addr.s_addr = htonl(address);
    memcpy(&addr, &in, sizeof in);
    return addr;
}

static struct sockaddr_storage ipv6(unsigned char network, unsigned char host)
{
    struct sockaddr_storage addr = {0};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    in6.sin6_addr.s6_addr[7] = network;
    in6.sin6_addr.s6_addr[15] = host;
    memcpy(&addr, &in6, sizeof in6);
    return addr;
}

static void cap_in_all_holds_across_addresses(void **state)
{
    (void)state;
    struct conn_count *count = conn_count_new(3, 2);
    for (uint64_t key = 1; key <= 3; key++)
        assert_int_equal(conn_count_enter(count, key), CONN_ADMITTED);
    assert_int_equal(conn_count_enter(count, 4), CONN_TOO_MANY);
    conn_count_leave(count, 2);
    assert_int_equal(conn_count_enter(count, 4), CONN_ADMITTED);
    conn_count_free(count);
}

static void cap_per_address_leaves_others_alone(void **state)
{
    (void)state;
    struct conn_count *count = conn_count_new(10, 2);
    assert_int_equal(conn_count_enter(count, 7), CONN_ADMITTED);
    assert_int_equal(conn_count_enter(count, 7), CONN_ADMITTED);
    assert_int_equal(conn_count_enter(count, 7), CONN_ADDRESS_TOO_MANY);
    assert_int_equal(conn_count_enter(count, 8), CONN_ADMITTED);
    conn_count_leave(count, 7);
    assert_int_equal(conn_count_enter(count, 7), CONN_ADMITTED);
    conn_count_free(count);
}

static void ipv6_addresses_of_one_network_count_together(void **state)
{
    (void)state;
    struct sockaddr_storage a = ipv6(1, 1);
    struct sockaddr_storage b = ipv6(1, 2);
    struct sockaddr_storage other = ipv6(2, 1);
    struct sockaddr_storage v4 = ipv4(0x7f000001);
    assert_true(conn_count_key(&a) == conn_count_key(&b));
    assert_true(conn_count_key(&a) != conn_count_key(&other));
    assert_true(conn_count_key(&v4) != conn_count_key(&a));
}

#define MODEL_KEYS 40
#define MODEL_MAX  64
#define PER_KEY    5

/* Few slots and many keys: runs collide, and gaps close behind who leaves. */
static void random_comings_and_goings_match_a_plain_table(void **state)
{
    (void)state;
    struct conn_count *count = conn_count_new(MODEL_MAX, PER_KEY);
    unsigned model[MODEL_KEYS] = {0};
    unsigned total = 0;
    unsigned seed = 20260101;
    for (int i = 0; i < 200000; i++) {
        unsigned key = (unsigned)rand_r(&seed) % MODEL_KEYS;
        if (rand_r(&seed) % 2 && model[key] > 0) {
            conn_count_leave(count, key);
            model[key]--;
            total--;
            continue;
        }
        enum conn_admission want = CONN_ADMITTED;
        if (total == MODEL_MAX)
            want = CONN_TOO_MANY;
        else if (model[key] == PER_KEY)
            want = CONN_ADDRESS_TOO_MANY;
        assert_int_equal(conn_count_enter(count, key), want);
        model[key] += want == CONN_ADMITTED;
        total += want == CONN_ADMITTED;
    }
    conn_count_free(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cap_in_all_holds_across_addresses),
        cmocka_unit_test(cap_per_address_leaves_others_alone),
        cmocka_unit_test(ipv6_addresses_of_one_network_count_together),
        cmocka_unit_test(random_comings_and_goings_match_a_plain_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
