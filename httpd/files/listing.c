#include "httpd/files/listing.h"

#include "httpd/files/listing_form.h"
#include "httpd/http/response.h"
#include "httpd/http/route.h"
#include "parser/accept.h"
#include "parser/query.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define VALUE_BYTES_MAX 16u  /* of a query value that may be right */
#define ITEMS_PER_FILL  256u /* text: names may be one byte long */

/* No script, no frame, nothing from elsewhere, whatever the names hold. */
#define PAGE_POLICY                                                            \
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; "          \
    "base-uri 'none'; form-action 'none'"

enum phase {
    PHASE_HEAD,
    PHASE_ITEMS,
    PHASE_WRITTEN, /* the tail, too; what is rendered is still to be pushed */
};

struct listing {
    const struct listing_form *form;
    struct listing_view view;
    struct dir_walk *walk;
    struct listing_out out;
    enum phase phase;
};

/* Of equal ones, the first is preferred. */
static const struct listing_form *const forms[] = {&listing_html, &listing_json,
                                                   &listing_text};
static const char *const form_names[] = {"html", "json", "text"};
static const char *const sort_names[] = {"name", "size", "time"};
static const char *const direction_names[] = {"asc", "desc"};

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Whether the field holds the type as a word; a hint for equal weights only. */
static bool names_type(struct str field, struct str type)
{
    for (; field.len >= type.len; field = str_skip(field, 1))
        if (strncasecmp(field.at, type.at, type.len) == 0)
            return true;
    return false;
}

static int rank_of(const struct listing_form *form, struct str accept)
{
    struct str type = str_from(form->media_type);
    int weight = accept_type_weight(accept, type);

    if (weight <= 0)
        return 0;
    if (names_type(accept, type))
        return 3 * weight + 2;
    return 3 * weight + (form == &listing_text ? 1 : 0);
}

static const struct listing_form *form_by_accept(struct str accept)
{
    const struct listing_form *best = &listing_text;
    int best_rank = 0;

    for (size_t i = 0; i < N_OF(forms); i++) {
        int rank = rank_of(forms[i], accept);
        if (rank > best_rank) {
            best = forms[i];
            best_rank = rank;
        }
    }
    return best;
}

/* Which of the choices the query names; *choice stays when it names none.
 * False when it is something else. */
static bool read_choice(struct str query, const char *name,
                        const char *const *choices, size_t n, size_t *choice)
{
    char text[VALUE_BYTES_MAX];
    struct str raw = query_get(query, str_from(name));
    struct str value = {text, 0};

    if (!raw.at)
        return true;
    if (!query_decode(raw, text, sizeof(text), &value.len))
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_equal(value, str_from(choices[i]))) {
            *choice = i;
            return true;
        }
    return false;
}

/* What is wrong with the query, or NULL. */
static const char *read_query(struct str query, struct listing *l)
{
    size_t form = N_OF(forms);
    size_t sort = DIR_BY_NAME;
    size_t direction = 0;

    if (!read_choice(query, "format", form_names, N_OF(forms), &form))
        return "format is html, json or text";
    if (!read_choice(query, "sort", sort_names, N_OF(sort_names), &sort))
        return "sort is name, size or time";
    if (!read_choice(query, "order", direction_names, N_OF(direction_names),
                     &direction))
        return "order is asc or desc";
    if (form < N_OF(forms))
        l->form = forms[form];
    l->view.order = (struct dir_order){(enum dir_sort)sort, direction == 1};
    return NULL;
}

static void add_item(struct listing *l, const struct dir_item *item)
{
    l->form->item(&l->out, &l->view, item);
    l->view.items++;
    l->view.bytes += item->size_bytes;
}

/* Renders one step. DONE: go on. AGAIN: enough for this turn. FAILED. */
static enum flow step(struct listing *l)
{
    struct dir_item item;
    enum flow flow = dir_walk_next(l->walk, &item);

    if (flow == FLOW_DONE)
        add_item(l, &item);
    if (flow != FLOW_END)
        return flow;
    l->form->tail(&l->out, &l->view);
    l->phase = PHASE_WRITTEN;
    return FLOW_DONE;
}

static enum flow fill(struct listing *l)
{
    enum flow flow = FLOW_DONE;

    if (l->phase == PHASE_HEAD) {
        l->form->head(&l->out, &l->view);
        l->phase = PHASE_ITEMS;
    }
    for (unsigned i = 0; i < ITEMS_PER_FILL && flow == FLOW_DONE; i++) {
        if (l->phase == PHASE_WRITTEN || l->out.bytes.len >= LISTING_OUT_FILL)
            break;
        flow = step(l);
    }
    return l->out.flow == FLOW_DONE ? flow : FLOW_FAILED;
}

static enum flow pull(void *self, struct exchange *x)
{
    struct listing *l = self;
    struct bytes *rendered = &l->out.bytes;

    if (fill(l) == FLOW_FAILED)
        return FLOW_FAILED;
    struct str piece = bytes_view(rendered);
    if (piece.len > exchange_room(x))
        piece.len = exchange_room(x);
    if (piece.len > 0 && exchange_push(x, piece) != FLOW_DONE)
        return FLOW_FAILED;
    bytes_skip(rendered, piece.len);
    if (l->phase == PHASE_WRITTEN && rendered->len == 0)
        return FLOW_END;
    if (piece.len > 0)
        return FLOW_DONE;
    exchange_wake(x); /* a pass goes on: the other connections first */
    return FLOW_AGAIN;
}

static void stop(void *self)
{
    struct listing *l = self;

    dir_walk_free(l->walk);
    listing_out_fini(&l->out);
    free(l);
}

static const struct source_ops listing_source = {
    .name = "listing", .pull = pull, .stop = stop};

static void send_listing(struct exchange *x, struct listing *l)
{
    response_begin(x, 200);
    response_header(x, "Content-Type", str_from(l->form->content_type));
    response_header(x, "Vary", STR("Accept"));
    response_header(x, "X-Content-Type-Options", STR("nosniff"));
    if (l->form == &listing_html)
        response_header(x, "Content-Security-Policy", STR(PAGE_POLICY));
    response_send_source(x, &listing_source, l, RESPONSE_LENGTH_UNKNOWN);
}

static void send_errno(struct exchange *x, int error)
{
    if (error == EACCES || error == EPERM)
        response_error(x, 403, "this folder may not be listed");
    else if (error == ENOENT || error == ENOTDIR)
        response_error(x, 404, "there is no such folder");
    else if (error == EMFILE || error == ENFILE || error == ENOMEM)
        response_error(x, 503, "too much is open now; try again soon");
    else
        response_error(x, 500, "the folder cannot be read");
}

/* Opens the folder anew: for reading, and with a position of its own. */
static int reopen(int dir_fd, int *ret_error)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *ret_error = fd < 0 ? errno : 0;
    close(dir_fd);
    return fd;
}

static struct listing *listing_new(const struct listing *plan, int fd)
{
    bool by_name = plan->view.order.sort == DIR_BY_NAME;
    size_t window = by_name ? LISTING_WINDOW : LISTING_STAT_WINDOW;
    size_t names = by_name ? LISTING_NAMES_BYTES : LISTING_STAT_NAMES_BYTES;
    assert(sizeof(struct listing) + dir_window_bytes(window, names) <
           (by_name ? LISTING_BYTES : LISTING_STAT_BYTES));
    struct listing *l = calloc(1, sizeof(*l));
    struct dir_walk *walk = dir_walk_new(fd, plan->view.order, window, names);

    if (!l || !walk) {
        free(l);
        dir_walk_free(walk);
        return NULL;
    }
    l->form = plan->form;
    l->view = plan->view;
    l->walk = walk;
    listing_out_init(&l->out, LISTING_OUT_BYTES_MAX);
    return l;
}

void listing_serve(struct exchange *x, int dir_fd, struct str url_path)
{
    assert(dir_fd >= 0);
    assert(url_path.len > 0 && url_path.at[url_path.len - 1] == '/');
    struct listing plan = {.view.path = url_path};
    int error;
    int fd = reopen(dir_fd, &error);

    plan.form = form_by_accept(request_header(&x->req, HEADER_ACCEPT));
    const char *wrong = read_query(request_str(&x->req, x->req.query), &plan);
    if (fd < 0) {
        send_errno(x, error);
    } else if (wrong) {
        close(fd);
        response_error(x, 400, "%s", wrong);
    } else {
        struct listing *l = listing_new(&plan, fd);
        if (l) {
            dir_walk_beneath(l->walk, x->route->root_fd,
                             route_rest(x->route, url_path));
            send_listing(x, l);
        } else {
            send_errno(x, ENOMEM);
        }
    }
}
