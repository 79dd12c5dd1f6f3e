#include "httpd/guard/memory_limit.h"

#include "buffers/str.h"
#include "parser/number.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 64 /* lines of /proc/self/cgroup */

/* Assumed when the system does not say. */
#define MACHINE_BYTES_UNKNOWN (1ull << 30)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* "max", and whatever is no number, is no limit. */
static uint64_t read_limit(const char *path)
{
    char text[64] = "";
    uint64_t bytes = UINT64_MAX;
    FILE *f = fopen(path, "re");
    if (!f)
        return UINT64_MAX;
    if (fgets(text, sizeof text, f))
        text[strcspn(text, "\n")] = '\0';
    fclose(f);
    return number_read_u64(str_from(text), &bytes) ? bytes : UINT64_MAX;
}

/* The limits of folder/group and of all groups that hold it. */
static uint64_t limit_upwards(const char *folder, char *group, const char *name)
{
    char path[PATH_MAX];
    uint64_t limit = UINT64_MAX;
    for (;;) {
        int n = snprintf(path, sizeof path, "%s%s/%s", folder, group, name);
        if (n > 0 && (size_t)n < sizeof path)
            limit = least(limit, read_limit(path));
        char *slash = strrchr(group, '/');
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

static bool lists_memory(char *controllers)
{
    char *rest = controllers;
    for (char *one; (one = strsep(&rest, ",")) != NULL;) {
        if (strcmp(one, "memory") == 0)
            return true;
    }
    return false;
}

/* "0::/group" is version 2; "4:memory:/group" version 1. */
static uint64_t limit_of_line(char *line, const char *root)
{
    char folder[PATH_MAX];
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT64_MAX;
    *group++ = '\0';
    controllers++;
    group[strcspn(group, "\n")] = '\0';
    if (*controllers == '\0')
        return limit_upwards(root, group, "memory.max");
    int n = snprintf(folder, sizeof folder, "%s/memory", root);
    if (!lists_memory(controllers) || n < 0 || (size_t)n >= sizeof folder)
        return UINT64_MAX;
    return limit_upwards(folder, group, "memory.limit_in_bytes");
}

uint64_t memory_limit_of_groups(const char *membership, const char *root)
{
    char line[PATH_MAX];
    uint64_t limit = UINT64_MAX;
    assert(membership && root);
    FILE *f = fopen(membership, "re");
    if (!f)
        return limit;
    for (int i = 0; i < GROUPS_MAX && fgets(line, sizeof line, f); i++)
        limit = least(limit, limit_of_line(line, root));
    fclose(f);
    return limit;
}

uint64_t memory_limit(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGE_SIZE);
    uint64_t machine = MACHINE_BYTES_UNKNOWN;
    if (pages > 0 && page_bytes > 0)
        machine = (uint64_t)pages * (uint64_t)page_bytes;
    uint64_t limit = least(
        machine, memory_limit_of_groups("/proc/self/cgroup", "/sys/fs/cgroup"));
    return limit > 0 ? limit : machine;
}
