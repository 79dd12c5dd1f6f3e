#include "parser/media_type.h"

#include "parser/ascii.h"
#include "parser/octet.h"

/* By the table: every append compares types. */
static struct str take_token(struct str *rest)
{
    struct str token = {rest->at, octet_run(*rest, OCTET_TOKEN)};
    *rest = str_skip(*rest, token.len);
    return token;
}

/* Takes "type/subtype" off the front; empty when there is none. */
static struct str take_essence(struct str *rest)
{
    struct str essence = *rest;
    struct str type = take_token(rest);
    if (type.len == 0 || !ascii_take(rest, '/') || take_token(rest).len == 0)
        return (struct str){essence.at, 0};
    essence.len -= rest->len;
    return essence;
}

struct str media_type_essence(struct str field)
{
    struct str rest = ascii_skip_ows(field);
    struct str essence = take_essence(&rest);
    rest = ascii_skip_ows(rest);
    if (rest.len > 0 && rest.at[0] != ';')
        essence.len = 0;
    return essence;
}

bool media_type_is(struct str field, struct str essence)
{
    struct str begin = ascii_skip_ows(field);
    if (begin.len < essence.len)
        return false;
    begin.len = essence.len;
    if (!ascii_equal(begin, essence))
        return false;
    struct str mine = media_type_essence(field);
    return mine.len > 0 && ascii_equal(mine, essence);
}

bool media_type_same(struct str a, struct str b)
{
    struct str essence = media_type_essence(b);
    /* Mostly they are the same to the letter. */
    return essence.len > 0 && (str_equal(a, b) || media_type_is(a, essence));
}

bool media_type_is_text(struct str field)
{
    struct str essence = media_type_essence(field);
    return essence.len > 5 &&
           ascii_equal((struct str){essence.at, 5}, STR("text/"));
}
