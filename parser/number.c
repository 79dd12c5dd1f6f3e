#include "parser/number.h"

#include "parser/ascii.h"

#include <assert.h>
#include <string.h>

#define FRACTION_DIGITS_MAX 3u

/* Takes the decimal digits off the front: at least one. */
static bool take_digits(struct str *rest, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; n < rest->len && ascii_is_digit(rest->at[n]); n++) {
        unsigned digit = (unsigned)(rest->at[n] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *rest = str_skip(*rest, n);
    *ret = v;
    return n > 0;
}

bool number_read_u64(struct str text, uint64_t *ret)
{
    uint64_t v;
    if (!take_digits(&text, &v) || text.len > 0)
        return false;
    *ret = v;
    return true;
}

bool number_take_digits(struct str *rest, size_t n, int *ret)
{
    int v = 0;
    assert(n > 0 && n <= 9);
    if (rest->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!ascii_is_digit(rest->at[i]))
            return false;
        v = v * 10 + (rest->at[i] - '0');
    }
    *rest = str_skip(*rest, n);
    *ret = v;
    return true;
}

/* The power of two that a suffix stands for, or -1. */
static int suffix_bits(struct str suffix)
{
    if (suffix.len == 0)
        return 0;
    if (suffix.len > 1)
        return -1;
    switch (ascii_lower(suffix.at[0])) {
    case 'k':
        return 10;
    case 'm':
        return 20;
    case 'g':
        return 30;
    case 't':
        return 40;
    default:
        return -1;
    }
}

bool number_read_bytes(struct str text, uint64_t *ret)
{
    uint64_t v;
    if (!take_digits(&text, &v))
        return false;
    int bits = suffix_bits(text);
    if (bits < 0 || v > UINT64_MAX >> bits)
        return false;
    *ret = v << bits;
    return true;
}

/* Takes ".5", ".25", ".125" off the front, as thousandths; nothing is 0. */
static bool take_fraction(struct str *rest, uint64_t *ret)
{
    *ret = 0;
    if (!ascii_take(rest, '.'))
        return true;
    size_t before = rest->len;
    if (!take_digits(rest, ret))
        return false;
    size_t n = before - rest->len;
    if (n > FRACTION_DIGITS_MAX)
        return false;
    for (; n < FRACTION_DIGITS_MAX; n++)
        *ret *= 10;
    return true;
}

/* Milliseconds in a unit of time, 0 when there is no such unit. */
static uint64_t unit_ms(struct str unit)
{
    static const struct {
        struct str name;
        uint64_t ms;
    } units[] = {
        {{"", 0}, 1000},   {{"ms", 2}, 1},      {{"s", 1}, 1000},
        {{"m", 1}, 60000}, {{"h", 1}, 3600000},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (str_equal(units[i].name, unit))
            return units[i].ms;
    return 0;
}

bool number_read_ms(struct str text, uint64_t *ret_ms)
{
    uint64_t whole;
    uint64_t thousandths;
    if (!take_digits(&text, &whole) || !take_fraction(&text, &thousandths))
        return false;
    uint64_t unit = unit_ms(text);
    if (unit == 0 || thousandths * unit % 1000 != 0)
        return false;
    uint64_t part = thousandths * unit / 1000;
    if (whole > (UINT64_MAX - part) / unit)
        return false;
    *ret_ms = whole * unit + part;
    return true;
}

static const char pairs[] = "00010203040506070809"
                            "10111213141516171819"
                            "20212223242526272829"
                            "30313233343536373839"
                            "40414243444546474849"
                            "50515253545556575859"
                            "60616263646566676869"
                            "70717273747576777879"
                            "80818283848586878889"
                            "90919293949596979899";

size_t number_write_u64(char *at, uint64_t v)
{
    char digits[NUMBER_DIGITS_MAX];
    size_t first = sizeof digits;
    while (v >= 100) {
        first -= 2;
        memcpy(digits + first, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        first -= 2;
        memcpy(digits + first, pairs + v * 2, 2);
    } else {
        digits[--first] = (char)('0' + v);
    }
    memcpy(at, digits + first, sizeof digits - first);
    return sizeof digits - first;
}

void number_write_padded(char *at, uint64_t v, size_t digits)
{
    assert(digits % 2 == 0 && digits <= NUMBER_DIGITS_MAX);
    for (size_t i = digits; i > 0; i -= 2) {
        memcpy(at + i - 2, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    assert(v == 0);
}

size_t number_write_hex(char *at, uint64_t v)
{
    size_t n = (67u - (size_t)__builtin_clzll(v | 1)) / 4;
    assert(n >= 1 && n <= NUMBER_HEX_MAX);
    for (size_t i = n; i > 0; i--) {
        at[i - 1] = "0123456789abcdef"[v & 15];
        v >>= 4;
    }
    return n;
}
