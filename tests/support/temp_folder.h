/* temp_folder.h - a folder for one test, gone when it is over.
 *
 * Promise    lies beneath $TMPDIR, else /tmp. Everything fails the test with
 *            an assertion rather than with a result.
 * Owns       the folder and all that is in it.
 * Threads    one. */
#ifndef TESTS_SUPPORT_TEMP_FOLDER_H
#define TESTS_SUPPORT_TEMP_FOLDER_H

#include <time.h>

struct temp_folder {
    char path[256];
    int fd; /* O_PATH */
};

void temp_folder_init(struct temp_folder *f);
void temp_folder_fini(struct temp_folder *f);

/* Writes a file anew, into the same inode when it exists; name is relative. */
void temp_folder_write(const struct temp_folder *f, const char *name,
                       const char *text);

void temp_folder_mkdir(const struct temp_folder *f, const char *name);
void temp_folder_link(const struct temp_folder *f, const char *target,
                      const char *name);
void temp_folder_remove(const struct temp_folder *f, const char *name);
void temp_folder_rename(const struct temp_folder *f, const char *from,
                        const char *to);

/* Sets the time at which a file says it was modified. */
void temp_folder_date(const struct temp_folder *f, const char *name,
                      time_t seconds);

#endif
