#include "tests/support/registry_place.h"

#include "tests/support/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

struct registry_place *registry_place_open(uint64_t streams_max)
{
    struct registry_place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    budget_init(&p->budget, UINT64_C(1) << 30);
    test_pool_init(&p->pool, 4);
    p->r = registry_new(&p->budget, streams_max);
    assert_non_null(p->r);
    return p;
}

void registry_place_close(struct registry_place *p)
{
    registry_free(p->r);
    assert_int_equal(p->budget.used, 0);
    test_pool_fini(&p->pool);
    free(p);
}

struct stream_config registry_place_config(const char *name)
{
    return (struct stream_config){
        .name = str_from(name),
        .content_type = STR("text/plain"),
        .bounds = {.policy = POLICY_DROP_OLDEST, .bytes_max = 1 << 20},
    };
}
