#include "httpd/config/config_build.h"
#include "httpd/config/config_text.h"
#include "httpd/config/directive.h"

#include <assert.h>
#include <confuse.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX  64u
#define UNKNOWN_MAX 16u

/* Directives of a scope, those that were unknown, the routes and the end. */
#define OPTIONS_MAX (64u + UNKNOWN_MAX + 2u)

struct fault {
    int line;
    bool keeps; /* found in an earlier pass, not found again */
    char text[DIRECTIVE_FAULT_BYTES_MAX + 64u];
};

/* The parser below stops at a directive that it does not know. To find every
 * fault in one run, the name is put into its table and the text is parsed
 * again, at most UNKNOWN_MAX times. */
struct loading {
    const char *path;
    struct fault faults[FAULTS_MAX];
    size_t faults_n;
    struct {
        enum directive_scope scope;
        char *name;
    } unknown[UNKNOWN_MAX];
    size_t unknown_n;
    bool again;
};

/* The callbacks of libconfuse carry no pointer of ours. */
static struct loading *loading;

__attribute__((format(printf, 3, 4))) static void
report(int line, bool keeps, const char *format, ...)
{
    if (loading->faults_n == FAULTS_MAX)
        return;
    struct fault *fault = &loading->faults[loading->faults_n++];
    fault->line = line;
    fault->keeps = keeps;
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
}

static enum directive_scope scope_of(cfg_t *cfg)
{
    return strcmp(cfg_name(cfg), "route") == 0 ? DIRECTIVE_ROUTE
                                               : DIRECTIVE_SERVER;
}

static void report_unknown(cfg_t *cfg, const char *name)
{
    enum directive_scope scope = scope_of(cfg);
    bool in_route = scope == DIRECTIVE_ROUTE;
    enum directive_scope other = in_route ? DIRECTIVE_SERVER : DIRECTIVE_ROUTE;
    const struct directive *nearest = directive_nearest(scope, name);
    if (directive_find(other, name))
        report(cfg->line, true, "%s does not belong here; put it %s", name,
               in_route ? "outside of the routes, at the top level"
                        : "into a route \"/prefix/\" { }");
    else if (nearest)
        report(cfg->line, true, "unknown directive %.60s; did you mean %s?",
               name, nearest->name);
    else
        report(cfg->line, true,
               "unknown directive %.60s; `sluice directives` lists them", name);
}

static void on_unknown(cfg_t *cfg, const char *name)
{
    report_unknown(cfg, name);
    if (loading->unknown_n == UNKNOWN_MAX)
        return;
    char *copy = strdup(name);
    if (!copy)
        return;
    loading->unknown[loading->unknown_n].scope = scope_of(cfg);
    loading->unknown[loading->unknown_n].name = copy;
    loading->unknown_n++;
    loading->again = true;
}

static bool is_unknown(enum directive_scope scope, const char *name)
{
    for (size_t i = 0; i < loading->unknown_n; i++) {
        if (loading->unknown[i].scope == scope &&
            strcmp(loading->unknown[i].name, name) == 0)
            return true;
    }
    return false;
}

/* What libconfuse says, and how we say it. */
static const struct {
    const char *theirs;
    const char *ours;
} messages[] = {
    {"missing equal sign after option '%s'",
     "%.60s has no value; write NAME = VALUE"},
    {"found duplicate title '%s'",
     "route \"%.60s\" is there twice; give each prefix one route"},
    {"premature end of file", "the file ends too early; write NAME = VALUE"},
    {"unexpected closing brace", "a } without its {; take it away"},
    {"missing title for section '%s'",
     "%s has no prefix; write route \"/prefix/\" { }"},
    {"missing opening brace for section '%s'",
     "%s has no {; write route \"/prefix/\" { }"},
    {"attempt to append to non-list option '%s'",
     "%s is no list; write = in place of +="},
    {"unexpected token '%s'",
     "\"%.60s\" does not belong here; write NAME = VALUE, or a list as "
     "{\"a\", \"b\"}"},
};

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    va_list copy;
    va_copy(copy, args);
    const char *ours = format;
    const char *missing_sign = messages[0].theirs;
    const char *name = NULL;
    if (strcmp(format, "no such option '%s'") == 0) {
        on_unknown(cfg, va_arg(copy, const char *));
        goto out;
    }
    if (strcmp(format, missing_sign) == 0) {
        /* A section that we do not know has no sign either: said already. */
        name = va_arg(copy, const char *);
        if (is_unknown(scope_of(cfg), name))
            goto out;
    }
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (strcmp(format, messages[i].theirs) == 0)
            ours = messages[i].ours;
    }
    char text[DIRECTIVE_FAULT_BYTES_MAX];
    vsnprintf(text, sizeof(text), ours, args);
    report(cfg->line, false, "%s", text);
out:
    va_end(copy);
}

/* Checks one value while its line is known; it is stored as text. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct directive_fault fault;
    const struct directive *d = directive_find(scope_of(cfg), opt->name);
    *(const char **)result = value;
    if (!d)
        return 0;
    if (!directive_read(d, value, NULL, &fault))
        report(cfg->line, false, "%s", fault.text);
    if (d->type == DIRECTIVE_LIST && opt->nvalues == d->max + 1)
        report(cfg->line, false, "%s: too many; %llu at most", d->name,
               (unsigned long long)d->max);
    if (strcmp(d->name, "listen") == 0 && config_listen_fault(value))
        report(cfg->line, false, "listen: \"%.60s\" %s", value,
               config_listen_fault(value));
    return 0;
}

/* Stores what the file gave, over the defaults. */
static void fill(cfg_t *cfg, enum directive_scope scope, void *owner)
{
    struct directive_fault fault;
    for (size_t i = 0; i < directives_n; i++) {
        const struct directive *d = &directives[i];
        cfg_opt_t *opt = d->scope == scope ? cfg_getopt(cfg, d->name) : NULL;
        if (!opt || !(opt->flags & CFGF_MODIFIED))
            continue;
        if (d->type == DIRECTIVE_LIST)
            directive_clear(d, owner);
        if (d->type == DIRECTIVE_LIST && cfg_opt_size(opt) < d->min)
            report(0, false, "%s: too few; %llu at least", d->name,
                   (unsigned long long)d->min);
        for (unsigned int v = 0; v < cfg_opt_size(opt); v++)
            (void)directive_read(d, cfg_opt_getnstr(opt, v), owner, &fault);
    }
}

/* Called at the end of each route; cfg is the whole file. */
static int on_route(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned int n = cfg_opt_size(opt);
    if (n > CONFIG_ROUTES_MAX) {
        report(cfg->line, false, "too many routes; %u at most",
               CONFIG_ROUTES_MAX);
        return -1;
    }
    cfg_t *section = cfg_opt_getnsec(opt, n - 1);
    struct route_config route;
    if (!config_route_init(&route)) {
        report(cfg->line, false, "out of memory");
    } else {
        fill(section, DIRECTIVE_ROUTE, &route);
        const char *wrong = config_route_fault(cfg_title(section), &route);
        if (wrong)
            report(cfg->line, false, "route \"%.60s\" %s", cfg_title(section),
                   wrong);
    }
    config_route_fini(&route);
    return 0;
}

#define SCALAR(name)            CFG_STR_CB(#name, NULL, CFGF_NODEFAULT, on_value),
#define OPTION_BYTES(name)      SCALAR(name)
#define OPTION_BYTES_AUTO(name) SCALAR(name)
#define OPTION_BYTES_OFF(name)  SCALAR(name)
#define OPTION_MS(name)         SCALAR(name)
#define OPTION_COUNT(name)      SCALAR(name)
#define OPTION_COUNT_AUTO(name) SCALAR(name)
#define OPTION_BOOL(name)       SCALAR(name)
#define OPTION_TEXT(name)       SCALAR(name)
#define OPTION_LIST(name)                                                      \
    CFG_STR_LIST_CB(#name, NULL, CFGF_NODEFAULT, on_value),

#define SERVER_IN_SERVER(...) __VA_ARGS__
#define SERVER_IN_ROUTE(...)
#define ROUTE_IN_ROUTE(...) __VA_ARGS__
#define ROUTE_IN_SERVER(...)

static const cfg_opt_t server_options[] = {
#define DIRECTIVE(scope, type, name, def, min, max, help)                      \
    scope##_IN_SERVER(OPTION_##type(name))
#include "httpd/config/directives.def"
#undef DIRECTIVE
};

static const cfg_opt_t route_options[] = {
#define DIRECTIVE(scope, type, name, def, min, max, help)                      \
    scope##_IN_ROUTE(OPTION_##type(name))
#include "httpd/config/directives.def"
#undef DIRECTIVE
};

/* Copies the options of a scope and those that turned out to be unknown: as
 * lists, which take a single value as well. */
static size_t options(enum directive_scope scope, cfg_opt_t *ret)
{
    bool server = scope == DIRECTIVE_SERVER;
    size_t size = server ? sizeof(server_options) : sizeof(route_options);
    size_t n = size / sizeof(*ret);
    assert(n + UNKNOWN_MAX + 2 <= OPTIONS_MAX);
    memcpy(ret, server ? server_options : route_options, size);
    for (size_t i = 0; i < loading->unknown_n; i++) {
        cfg_opt_t unknown = CFG_STR_LIST_CB(loading->unknown[i].name, NULL,
                                            CFGF_NODEFAULT, on_value);
        if (loading->unknown[i].scope == scope)
            ret[n++] = unknown;
    }
    return n;
}

/* One pass over the text. */
static cfg_t *parse(const char *text)
{
    const cfg_opt_t end = CFG_END();
    cfg_opt_t in_route[OPTIONS_MAX];
    cfg_opt_t in_server[OPTIONS_MAX];
    size_t n = options(DIRECTIVE_ROUTE, in_route);
    in_route[n] = end;
    cfg_opt_t route = CFG_SEC("route", in_route,
                              CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    route.validcb = on_route;
    n = options(DIRECTIVE_SERVER, in_server);
    in_server[n] = route;
    in_server[n + 1] = end;

    cfg_t *cfg = cfg_init(in_server, CFGF_NONE);
    if (!cfg) {
        report(0, false, "out of memory");
        return NULL;
    }
    cfg_set_error_function(cfg, on_error);
    size_t before = loading->faults_n;
    if (cfg_parse_buf(cfg, text) != CFG_SUCCESS &&
        loading->faults_n == before && loading->unknown_n == 0)
        report(cfg->line, false, "this cannot be read; write NAME = VALUE");
    return cfg;
}

static void forget_passing_faults(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < loading->faults_n; i++) {
        if (loading->faults[i].keeps)
            loading->faults[kept++] = loading->faults[i];
    }
    loading->faults_n = kept;
}

static cfg_t *parse_until_all_is_known(const char *text)
{
    cfg_t *cfg = NULL;
    do {
        loading->again = false;
        forget_passing_faults();
        if (cfg)
            cfg_free(cfg);
        cfg = parse(text);
    } while (loading->again);
    return cfg;
}

static bool build_routes(cfg_t *cfg, struct config *config)
{
    unsigned int n = cfg_size(cfg, "route");
    if (n > CONFIG_ROUTES_MAX)
        return true;
    config->routes = calloc(n ? n : 1, sizeof(*config->routes));
    if (!config->routes)
        return false;
    for (unsigned int i = 0; i < n; i++) {
        cfg_t *section = cfg_getnsec(cfg, "route", i);
        struct route_config *route = &config->routes[i];
        config->routes_n = i + 1;
        if (!config_route_init(route))
            return false;
        fill(section, DIRECTIVE_ROUTE, route);
        route->prefix = strdup(cfg_title(section));
        if (!route->prefix)
            return false;
    }
    return true;
}

/* Also looks for faults that have no line. */
static struct config *build(cfg_t *cfg)
{
    struct config *config = config_new();
    if (!config)
        goto out;
    fill(cfg, DIRECTIVE_SERVER, config);
    if (cfg_size(cfg, "route") == 0)
        report(0, false,
               "no route; add one like route \"/\" { files = \"www\" }");
    const char *wrong = config_server_fault(config);
    if (wrong)
        report(0, false, "%s", wrong);
    config->path = strdup(loading->path);
    if (config->path && build_routes(cfg, config) && config_resolve(config))
        return config;
out:
    config_free(config);
    report(0, false, "out of memory");
    return NULL;
}

/* Values may hold any byte, and this goes to a terminal. */
static void print_fault(const struct fault *fault, FILE *errors)
{
    fprintf(errors, "%s:", loading->path);
    if (fault->line > 0)
        fprintf(errors, "%d:", fault->line);
    fputc(' ', errors);
    for (const char *at = fault->text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        fputc(c < 0x20 || c == 0x7f ? '?' : c, errors);
    }
    fputc('\n', errors);
}

/* In the order of the lines; those without a line come last. */
static void print_faults(FILE *errors)
{
    bool printed[FAULTS_MAX] = {false};
    for (size_t n = 0; n < loading->faults_n; n++) {
        size_t next = FAULTS_MAX;
        for (size_t i = 0; i < loading->faults_n; i++) {
            unsigned int line = (unsigned int)loading->faults[i].line - 1;
            if (!printed[i] &&
                (next == FAULTS_MAX ||
                 line < (unsigned int)loading->faults[next].line - 1))
                next = i;
        }
        assert(next < FAULTS_MAX);
        printed[next] = true;
        print_fault(&loading->faults[next], errors);
    }
    if (loading->faults_n == FAULTS_MAX)
        fprintf(errors, "%s: and perhaps more\n", loading->path);
}

/* Parses the text and builds from it, or leaves faults. */
static struct config *load(void)
{
    struct config_text file;
    struct config *config = NULL;
    if (!config_text_read(loading->path, &file)) {
        report(file.line, false, "%s", file.fault);
        return NULL;
    }
    cfg_t *cfg = parse_until_all_is_known(file.text);
    if (cfg && loading->faults_n == 0)
        config = build(cfg);
    if (cfg)
        cfg_free(cfg);
    free(file.text);
    return config;
}

struct config *config_load(const char *path, FILE *errors)
{
    assert(path);
    assert(errors);
    assert(!loading);
    struct loading *state = calloc(1, sizeof(*state));
    if (!state) {
        fprintf(errors, "%s: out of memory\n", path);
        return NULL;
    }
    state->path = path;
    loading = state;
    struct config *config = load();
    print_faults(errors);
    if (state->faults_n > 0) {
        config_free(config);
        config = NULL;
    }
    loading = NULL;
    for (size_t i = 0; i < state->unknown_n; i++)
        free(state->unknown[i].name);
    free(state);
    return config;
}
