/* flow.h - the one result type of the data path.
 *
 * Promise    a function that moves bytes answers with one of these and reports
 *            a byte count, if it has one, through an out-parameter that is
 *            valid whatever the result.
 * Threads    constants.
 * Not for    parse verdicts with an HTTP status: see parser/request.h. */
#ifndef BUFFERS_FLOW_H
#define BUFFERS_FLOW_H

enum flow {
    FLOW_DONE,      /* it is done; ask again for more */
    FLOW_AGAIN,     /* the peer is not ready: wait for the loop */
    FLOW_FULL,      /* our own limit is reached: apply the policy */
    FLOW_END,       /* nothing more will ever come */
    FLOW_NO_MEMORY, /* an allocation failed; nothing was changed */
    FLOW_FAILED,    /* broken for good; the caller gives up */
};

#endif
