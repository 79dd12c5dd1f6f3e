#include "buffers/advisor.h"

#include <stdio.h>

static void tell(void *arg, const struct advice *a)
{
    (void)arg;
    printf("%s: %d -> %d\n", a->knob, (int)a->from, (int)a->to);
}

/* Reads that come back full ask for a larger read, within limits. */
int main(void)
{
    struct advisor a;
    struct knob k = {.name = "read_bytes", .kind = KNOB_SIZE, .min = 4096};
    k.max = 16384;
    advisor_init(&a, 1000, tell, NULL);
    advisor_enable(&a, true);
    if (!advisor_add(&a, &k))
        return 1;
    for (uint64_t now_ms = 1000; now_ms <= 5000; now_ms += 1000) {
        advisor_tick(&a, now_ms);
        for (int i = 0; i < 100; i++)
            knob_observe_size(&k, knob_value(&k), 20000);
    }
    advisor_remove(&a, &k);
    advisor_fini(&a);
    return 0;
}
