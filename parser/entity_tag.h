/* entity_tag.h - entity tags and the lists of them in If-Match and kin.
 *
 * Promise    a tag is passed with its quotes: "abc" or W/"abc". What is no tag
 *            equals nothing, itself included. Letter case counts.
 * Threads    pure.
 * Source     RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2. */
#ifndef PARSER_ENTITY_TAG_H
#define PARSER_ENTITY_TAG_H

#include "buffers/str.h"

#include <stdbool.h>

/* Both strong and equal. */
bool entity_tag_equal_strong(struct str a, struct str b);

/* Equal, W/ left aside. */
bool entity_tag_equal_weak(struct str a, struct str b);

/* Whether a field value names the tag of what is there: a list that has it,
 * or "*", which names whatever is there. Empty members are passed over. Of a
 * malformed list, the members before the fault count. */
bool entity_tag_list_has(struct str list, struct str tag, bool strong);

#endif
