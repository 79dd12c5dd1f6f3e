#include "httpd/config/config.h"
#include "httpd/server.h"
#include "httpd/version.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SLUICE_LIBRARIES
#define SLUICE_LIBRARIES ""
#endif

#define CONFIG_INSTALLED "/etc/sluice/sluice.conf"
#define CONFIG_LOCAL     "conf/sluice.conf"

enum exit_code { EXIT_OK, EXIT_RUN, EXIT_USAGE, EXIT_CONFIG };

static const char help[] =
    "Serves big files and live streams over HTTP.\n"
    "\n"
    "  sluice serve [-c FILE]     serve what FILE says\n"
    "  sluice files DIR [--listen HOST:PORT]... [--browse]\n"
    "                             share a folder, no configuration needed\n"
    "  sluice check FILE          validate FILE, print what it amounts to\n"
    "  sluice directives          print the reference of all directives\n"
    "  sluice --help | --version\n"
    "\n"
    "-c FILE defaults to " CONFIG_INSTALLED
    " if that is there, else to\n" CONFIG_LOCAL
    ". --listen defaults to 127.0.0.1:8080; port 0 picks a free\n"
    "port. --browse lists folders that have no index file.\n"
    "SIGTERM ends after the answers under way, SIGINT at once.\n"
    "\n"
    "Exit codes: 0 ended as asked, 1 could not start or run, 2 wrong usage\n"
    "(also a DIR that is no folder), 3 wrong configuration.\n";

__attribute__((format(printf, 1, 2))) static int usage(const char *format, ...)
{
    va_list args;
    fputs("sluice: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\ntry: sluice --help\n", stderr);
    return EXIT_USAGE;
}

/* What was written to stdout may not have arrived: a full disk, say. */
static int flushed(void)
{
    if (fflush(stdout) == 0)
        return EXIT_OK;
    fprintf(stderr, "sluice: cannot write: %s\n", strerror(errno));
    return EXIT_RUN;
}

static int serve_config(struct config *config)
{
    struct server *server = server_new(config, stderr);
    int code = server ? server_run(server) : EXIT_CONFIG;
    server_free(server);
    config_free(config);
    return code;
}

/* getopt's own messages name the option, but not where help is. */
static int wrong_option(char **argv)
{
    return usage("%s: unknown option or missing value: %s", argv[0],
                 argv[optind - 1]);
}

static int serve(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    const char *path = NULL;
    int option = 0;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option != 'c')
            return wrong_option(argv);
        path = optarg;
    }
    if (optind < argc)
        return usage("serve: takes no \"%s\"; a file is given with -c",
                     argv[optind]);
    if (!path)
        path = access(CONFIG_INSTALLED, F_OK) == 0 ? CONFIG_INSTALLED
                                                   : CONFIG_LOCAL;
    struct config *config = config_load(path, stderr);
    return config ? serve_config(config) : EXIT_CONFIG;
}

struct folder {
    const char *dir;
    const char *listen[CONFIG_LISTEN_MAX];
    size_t listen_n;
    bool browse;
};

static int add_listen(struct folder *folder, const char *text)
{
    const char *fault = config_listen_fault(text);
    if (fault)
        return usage("--listen: \"%s\" %s", text, fault);
    if (folder->listen_n == CONFIG_LISTEN_MAX)
        return usage("--listen: %d addresses at most", CONFIG_LISTEN_MAX);
    folder->listen[folder->listen_n++] = text;
    return EXIT_OK;
}

static int read_folder_options(int argc, char **argv, struct folder *folder)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"browse", no_argument, NULL, 'b'},
        {NULL, 0, NULL, 0}};
    int option = 0;
    int code = EXIT_OK;
    while ((option = getopt_long(argc, argv, "l:b", options, NULL)) != -1) {
        if (option == 'l')
            code = add_listen(folder, optarg);
        else if (option == 'b')
            folder->browse = true;
        else
            code = wrong_option(argv);
        if (code != EXIT_OK)
            return code;
    }
    if (argc - optind != 1)
        return usage("files: give one folder, like: sluice files .");
    folder->dir = argv[optind];
    return EXIT_OK;
}

static int files(int argc, char **argv)
{
    struct folder folder = {.dir = NULL};
    struct stat st;
    int code = read_folder_options(argc, argv, &folder);
    if (code != EXIT_OK)
        return code;
    assert(folder.dir);
    if (stat(folder.dir, &st) != 0)
        return usage("files: %s: %s", folder.dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return usage("files: %s: is no folder", folder.dir);
    struct config *config = config_for_folder(folder.dir, folder.listen,
                                              folder.listen_n, folder.browse);
    if (!config) {
        fputs("sluice: out of memory\n", stderr);
        return EXIT_RUN;
    }
    return serve_config(config);
}

static int check(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-')
        return usage("check: give one file, like: sluice check " CONFIG_LOCAL);
    struct config *config = config_load(argv[1], stderr);
    if (!config)
        return EXIT_CONFIG;
    struct server *server = server_new(config, stderr);
    bool usable = server != NULL;
    if (usable)
        config_dump(config, stdout);
    server_free(server);
    config_free(config);
    return usable ? flushed() : EXIT_CONFIG;
}

static int directives(int argc, char **argv)
{
    if (argc != 1)
        return usage("directives: takes no \"%s\"", argv[1]);
    config_reference(stdout);
    return flushed();
}

static int print_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fputs(help, stdout);
    return flushed();
}

static int print_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fputs("sluice " SLUICE_VERSION "\n" SLUICE_LIBRARIES, stdout);
    return flushed();
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", serve},       {"files", files},
    {"check", check},       {"directives", directives},
    {"--help", print_help}, {"-h", print_help},
    {"help", print_help},   {"--version", print_version},
    {"-V", print_version},  {"version", print_version},
};

int main(int argc, char **argv)
{
    opterr = 0;
    if (argc < 2)
        return usage("say what to do, like: sluice files .");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return usage("there is no command \"%s\"", argv[1]);
}
