#include "parser/websocket_key.h"

#include "parser/ascii.h"

#include <openssl/evp.h>

#define KEY_BYTES   24u /* base64 of 16 bytes */
#define KEY_LETTERS 22u /* what is not padding */
#define GUID_BYTES  36u
#define SHA1_BYTES  20u

static const struct str guid = {"258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                                GUID_BYTES};

static bool is_base64(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '+' || c == '/';
}

bool websocket_key_valid(struct str key)
{
    if (key.len != KEY_BYTES)
        return false;
    for (size_t i = 0; i < KEY_LETTERS; i++)
        if (!is_base64(key.at[i]))
            return false;
    return str_equal(str_skip(key, KEY_LETTERS), STR("=="));
}

enum flow websocket_key_accept(struct str key, char *at)
{
    char text[KEY_BYTES + GUID_BYTES];
    unsigned char sum[SHA1_BYTES];
    unsigned char base64[WEBSOCKET_ACCEPT_BYTES + 1]; /* and a NUL */
    if (!websocket_key_valid(key))
        return FLOW_FAILED;
    memcpy(text, key.at, key.len);
    memcpy(text + key.len, guid.at, guid.len);
    if (!EVP_Digest(text, sizeof text, sum, NULL, EVP_sha1(), NULL))
        return FLOW_NO_MEMORY;
    EVP_EncodeBlock(base64, sum, SHA1_BYTES);
    memcpy(at, base64, WEBSOCKET_ACCEPT_BYTES);
    return FLOW_DONE;
}
