#include "httpd/streams/name_hash.h"

#include <endian.h>

struct lanes {
    uint64_t a, b, c, d;
};

static uint64_t turn(uint64_t v, unsigned bits)
{
    return (v << bits) | (v >> (64 - bits));
}

static void mix(struct lanes *v, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        v->a += v->b;
        v->c += v->d;
        v->b = turn(v->b, 13) ^ v->a;
        v->d = turn(v->d, 16) ^ v->c;
        v->a = turn(v->a, 32) + v->d;
        v->c += v->b;
        v->d = turn(v->d, 21) ^ v->a;
        v->b = turn(v->b, 17) ^ v->c;
        v->c = turn(v->c, 32);
    }
}

static void take(struct lanes *v, uint64_t word)
{
    v->d ^= word;
    mix(v, 2);
    v->a ^= word;
}

uint64_t name_hash(const struct name_key *key, struct str name)
{
    struct lanes v = {
        key->k0 ^ UINT64_C(0x736f6d6570736575),
        key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    uint64_t last = (uint64_t)name.len << 56;
    uint64_t word;
    while (name.len >= sizeof word) {
        memcpy(&word, name.at, sizeof word);
        take(&v, le64toh(word));
        name = str_skip(name, sizeof word);
    }
    for (size_t i = 0; i < name.len; i++)
        last |= (uint64_t)(unsigned char)name.at[i] << (8 * i);
    take(&v, last);
    v.c ^= 0xff;
    mix(&v, 4);
    return v.a ^ v.b ^ v.c ^ v.d;
}
