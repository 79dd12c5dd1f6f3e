#include "httpd/config/config.h"
#include "httpd/config/directive.h"

#include <assert.h>

static void dump_scope(enum directive_scope scope, const void *owner,
                       const char *indent, FILE *out)
{
    for (size_t i = 0; i < directives_n; i++) {
        const struct directive *d = &directives[i];
        if (d->scope != scope)
            continue;
        fprintf(out, "%s%s = ", indent, d->name);
        directive_write(d, owner, out);
        fputc('\n', out);
    }
}

void config_dump(const struct config *config, FILE *out)
{
    assert(config);
    assert(out);
    dump_scope(DIRECTIVE_SERVER, config, "", out);
    for (size_t i = 0; i < config->routes_n; i++) {
        const struct route_config *route = &config->routes[i];
        /* A sound prefix holds nothing that a quoted text would escape but
         * these. */
        fputs("\nroute \"", out);
        for (const char *at = route->prefix; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\' || *at == '$')
                fputc('\\', out);
            fputc(*at, out);
        }
        fputs("\" {\n", out);
        dump_scope(DIRECTIVE_ROUTE, route, "    ", out);
        fputs("}\n", out);
    }
}

static void reference_scope(enum directive_scope scope, FILE *out)
{
    fputs("| directive | default | may be | what it does |\n"
          "|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < directives_n; i++) {
        const struct directive *d = &directives[i];
        if (d->scope != scope)
            continue;
        const char *quote = d->def[0] == '\0' ? "" : "`";
        fprintf(out, "| `%s` | %s%s%s | ", d->name, quote, d->def, quote);
        if (d->type == DIRECTIVE_BOOL)
            fputs("true, false", out);
        else if (d->type == DIRECTIVE_TEXT)
            fputs("a text", out);
        else
            directive_write_bounds(d, out);
        fprintf(out, " | %s |\n", d->help);
    }
}

void config_reference(FILE *out)
{
    assert(out);
    fputs("For the whole server, at the top level:\n\n", out);
    reference_scope(DIRECTIVE_SERVER, out);
    fputs("\nFor a route, inside `route \"/prefix/\" { }`:\n\n", out);
    reference_scope(DIRECTIVE_ROUTE, out);
}
