#include "parser/entity_tag.h"

#include "parser/ascii.h"

static bool is_tag_char(char c)
{
    unsigned char u = (unsigned char)c;
    return u == 0x21 || (u >= 0x23 && u != 0x7f);
}

/* Takes a whole tag off the front; an empty view when there is none. */
static struct str take_tag(struct str *rest)
{
    const struct str none = {NULL, 0};
    size_t n = str_starts(*rest, STR("W/")) ? 2 : 0;
    if (n == rest->len || rest->at[n] != '"')
        return none;
    n++;
    while (n < rest->len && is_tag_char(rest->at[n]))
        n++;
    if (n == rest->len || rest->at[n] != '"')
        return none;
    struct str tag = {rest->at, n + 1};
    *rest = str_skip(*rest, n + 1);
    return tag;
}

static bool is_tag(struct str s)
{
    return take_tag(&s).len > 0 && s.len == 0;
}

static struct str without_weak(struct str tag)
{
    return str_starts(tag, STR("W/")) ? str_skip(tag, 2) : tag;
}

bool entity_tag_equal_strong(struct str a, struct str b)
{
    return is_tag(a) && ascii_at(a, '"') && str_equal(a, b);
}

bool entity_tag_equal_weak(struct str a, struct str b)
{
    return is_tag(a) && is_tag(b) &&
           str_equal(without_weak(a), without_weak(b));
}

static bool equal(struct str a, struct str b, bool strong)
{
    return strong ? entity_tag_equal_strong(a, b) : entity_tag_equal_weak(a, b);
}

static bool is_any(struct str list)
{
    list = ascii_skip_ows(list);
    return ascii_take(&list, '*') && ascii_skip_ows(list).len == 0;
}

bool entity_tag_list_has(struct str list, struct str tag, bool strong)
{
    if (is_any(list))
        return true;
    do {
        list = ascii_skip_ows(list);
        struct str member = take_tag(&list);
        list = ascii_skip_ows(list);
        bool ends = list.len == 0 || ascii_at(list, ',');
        if (member.len > 0 && ends && equal(member, tag, strong))
            return true;
    } while (ascii_take(&list, ','));
    return false;
}
