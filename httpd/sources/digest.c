#include "httpd/sources/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
    EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
    struct digest *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->context = EVP_MD_CTX_new();
    if (d->context == NULL ||
        EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1) {
        digest_free(d);
        return NULL;
    }
    return d;
}

void digest_free(struct digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->context);
    free(d);
}

bool digest_add(struct digest *d, struct str piece)
{
    assert(d != NULL);
    return EVP_DigestUpdate(d->context, piece.at, piece.len) == 1;
}

bool digest_hex(struct digest *d, char *out)
{
    static const char hex_digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    assert(d != NULL);
    if (EVP_DigestFinal_ex(d->context, sum, &n) != 1)
        return false;
    assert(n * 2 == DIGEST_HEX_BYTES);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex_digits[sum[i] >> 4];
        out[2 * i + 1] = hex_digits[sum[i] & 15];
    }
    return true;
}
