/* reader_trial.h - random readers on random sockets, a publisher, policies,
 * ends; and what each reader got against what was published.
 *
 * Promise    the first thing that is wrong is the complaint; a run that is the
 *            same down to the seed complains of the same.
 * Threads    one each. */
#ifndef TESTS_MODEL_READER_TRIAL_H
#define TESTS_MODEL_READER_TRIAL_H

#include "tests/model/dice.h"
#include "tests/model/follow_log.h"
#include "tests/support/audience.h"

#define TRIAL_ACTS     300u
#define TRIAL_FANS_MAX 12u
#define TRIAL_CROWD    600u /* more than a turn sends to */

struct trial;

/* Harm that is done behind the engine's back, once in a while. */
typedef void sabotage(struct trial *t);

/* A peer, and what it asked for. */
struct fan {
    struct peer *p;
    struct live_request want;
};

struct trial {
    sabotage *harm;
    struct dice dice;
    struct audience a;
    struct published all;
    struct fan fans[TRIAL_CROWD];
    size_t fans_n;
    size_t fans_max;
    bool crowded; /* all come before it begins */
    enum stream_policy policy;
    enum stream_kind kind;
    bool skips_now; /* some reader has bounds on its lag */
    bool short_of_memory;
    bool over; /* closed or deleted */
    bool deleted;
    unsigned number;
    char complaint[PEER_TEXT_BYTES + 400];
};

/* With harm done from somewhere in the middle on; NULL: none. */
struct trial *trial_new(sabotage *harm);
void trial_free(struct trial *t);

/* Begins, acts so often, settles and judges. */
void trial_run(struct trial *t, unsigned acts);

/* A reader that was chosen at random, or NULL. */
struct fan *trial_any_fan(struct trial *t);

#endif
