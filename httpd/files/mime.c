#include "httpd/files/mime.h"

#include "httpd/observe/log.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_FILE "/etc/mime.types"
#define SLOTS       (2u * MIME_EXTENSIONS_MAX) /* a power of two */
#define SPACE       " \t\r\n"

/* What the web needs, for systems without a list and lists without these. */
static const char built_in[] =
    "text/html html htm\ntext/css css\ntext/javascript js mjs\n"
    "text/plain txt log conf\ntext/csv csv\ntext/markdown md\n"
    "text/vtt vtt\napplication/json json map\napplication/ld+json jsonld\n"
    "application/x-ndjson ndjson jsonl\napplication/xml xml xsl\n"
    "application/yaml yaml yml\napplication/toml toml\n"
    "application/manifest+json webmanifest\napplication/wasm wasm\n"
    "application/pdf pdf\napplication/zip zip\napplication/gzip gz tgz\n"
    "application/zstd zst\napplication/x-xz xz\napplication/x-tar tar\n"
    "application/vnd.apple.mpegurl m3u8\napplication/dash+xml mpd\n"
    "image/svg+xml svg\nimage/png png\nimage/jpeg jpg jpeg\n"
    "image/gif gif\nimage/webp webp\nimage/avif avif\nimage/x-icon ico\n"
    "font/woff woff\nfont/woff2 woff2\nfont/ttf ttf\nfont/otf otf\n"
    "audio/mpeg mp3\naudio/ogg ogg oga opus\naudio/wav wav\n"
    "audio/flac flac\naudio/mp4 m4a\nvideo/mp4 mp4 m4v m4s\n"
    "video/webm webm\nvideo/mp2t ts\nvideo/quicktime mov\n";

struct slot {
    struct str extension; /* in lower case */
    const struct mime_type *type;
};

static struct {
    char *texts[2]; /* what the names point into */
    struct mime_type types[MIME_TYPES_MAX];
    size_t types_n;
    struct slot slots[SLOTS];
    size_t slots_n;
} table;

static const struct mime_type unknown = {
    .name = {"application/octet-stream",
             sizeof("application/octet-stream") - 1},
};

static uint32_t hash(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.at[i]) * 16777619u;
    return h ^ h >> 15;
}

/* The slot of the extension, or the free one where it belongs. The table is
 * never more than half full, so there is one. */
static struct slot *slot_of(struct str extension)
{
    uint32_t i = hash(extension) % SLOTS;
    while (table.slots[i].type != NULL &&
           !str_equal(table.slots[i].extension, extension))
        i = (i + 1) % SLOTS;
    return &table.slots[i];
}

static void lower(char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (char)tolower((unsigned char)at[i]);
}

static bool str_ends(struct str s, struct str tail)
{
    return s.len >= tail.len && str_equal(str_skip(s, s.len - tail.len), tail);
}

static bool is_text(struct str name)
{
    return str_starts(name, STR("text/")) ||
           str_equal(name, STR("application/javascript"));
}

/* Types that gzip makes notably smaller. */
static bool is_compressible(struct str name)
{
    static const char *const others[] = {
        "application/json",
        "application/xml",
        "application/wasm",
        "application/x-ndjson",
        "application/yaml",
        "application/toml",
        "application/rtf",
        "application/sql",
        "application/x-sh",
        "application/x-javascript",
        "application/ecmascript",
        "application/vnd.apple.mpegurl",
        "application/vnd.ms-fontobject",
        "font/ttf",
        "font/otf",
        "image/bmp",
        "image/x-icon",
        "image/vnd.microsoft.icon",
    };
    if (is_text(name) || str_ends(name, STR("+json")) ||
        str_ends(name, STR("+xml")))
        return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (str_equal(name, str_from(others[i])))
            return true;
    return false;
}

/* Whether it may stand in a header field as it is: "token/token". */
static bool is_media_type(struct str name)
{
    const char *slash = memchr(name.at, '/', name.len);
    if (name.len > MIME_TYPE_BYTES_MAX || slash == NULL || slash == name.at ||
        slash + 1 == name.at + name.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        bool first = name.at + i == slash;
        if (!first && !isalnum(c) && (c == '\0' || !strchr("!#$&-^_.+", c)))
            return false;
    }
    return true;
}

static void add(char *extension, const struct mime_type *type)
{
    struct str key = str_from(extension);
    if (key.len > MIME_EXTENSION_BYTES_MAX ||
        table.slots_n == MIME_EXTENSIONS_MAX)
        return;
    lower(extension, key.len);
    struct slot *slot = slot_of(key);
    if (slot->type != NULL)
        return;
    *slot = (struct slot){key, type};
    table.slots_n++;
}

/* One line: a type and its extensions. Types without any take no room. */
static void read_line(char *line)
{
    char *rest = NULL;
    line[strcspn(line, "#")] = '\0';
    char *name = strtok_r(line, SPACE, &rest);
    char *extension = name ? strtok_r(NULL, SPACE, &rest) : NULL;
    if (extension == NULL || !is_media_type(str_from(name)) ||
        table.types_n == MIME_TYPES_MAX)
        return;
    lower(name, strlen(name));
    struct mime_type *type = &table.types[table.types_n++];
    type->name = str_from(name);
    type->utf8 = is_text(type->name);
    type->compressible = is_compressible(type->name);
    for (; extension != NULL; extension = strtok_r(NULL, SPACE, &rest))
        add(extension, type);
}

static void read_text(char *text)
{
    char *rest = NULL;
    char *line = strtok_r(text, "\n", &rest);
    for (; line != NULL; line = strtok_r(NULL, "\n", &rest))
        read_line(line);
}

/* The whole file with a NUL behind it; NULL when it cannot be read. */
static char *slurp(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(MIME_FILE_BYTES_MAX + 1) : NULL;
    if (text != NULL) {
        size_t len = fread(text, 1, MIME_FILE_BYTES_MAX, file);
        text[len] = '\0';
    }
    bool bad = file != NULL && ferror(file);
    if (file != NULL)
        fclose(file);
    if (!bad)
        return text;
    free(text);
    return NULL;
}

static char *first_file(const char *path, const char *fallback)
{
    if (path != NULL && path[0] != '\0')
        return slurp(path);
    char *text = slurp(SYSTEM_FILE);
    if (text == NULL && fallback != NULL)
        text = slurp(fallback);
    return text;
}

bool mime_init(const char *path, const char *fallback)
{
    assert(table.texts[1] == NULL);
    table.texts[0] = first_file(path, fallback);
    if (table.texts[0] == NULL && path != NULL && path[0] != '\0') {
        log_line(LOG_ERROR,
                 "mime_types: cannot read %s; name a file of lines such as "
                 "\"text/html html htm\"",
                 path);
        return false;
    }
    table.texts[1] = strdup(built_in);
    if (table.texts[1] == NULL) {
        log_line(LOG_ERROR, "mime_types: out of memory");
        mime_fini();
        return false;
    }
    if (table.texts[0] != NULL)
        read_text(table.texts[0]);
    read_text(table.texts[1]);
    return true;
}

void mime_fini(void)
{
    free(table.texts[0]);
    free(table.texts[1]);
    memset(&table, 0, sizeof(table));
}

/* Of "dir.d/name" it is "d/name", which no table holds. */
static struct str extension_of(struct str path)
{
    const char *dot = path.len ? memrchr(path.at, '.', path.len) : NULL;
    if (dot == NULL)
        return (struct str){NULL, 0};
    return str_skip(path, (size_t)(dot + 1 - path.at));
}

const struct mime_type *mime_find(struct str path)
{
    char at[MIME_EXTENSION_BYTES_MAX];
    struct str found = extension_of(path);
    if (found.len == 0 || found.len > sizeof(at))
        return &unknown;
    memcpy(at, found.at, found.len);
    lower(at, found.len);
    const struct slot *slot = slot_of((struct str){at, found.len});
    return slot->type ? slot->type : &unknown;
}
