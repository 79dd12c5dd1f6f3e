/* slow_disk.h - a folder behind slow_fs, a disk that a test can hold.
 *
 * Promise    while a file stands at flag, reads of what lies in mount hang;
 *            while one stands at names_flag, names do (when it is not empty).
 * Limits     mounting and unmounting take at most SLOW_DISK_MS each.
 * Owns       the process; slow_disk_stop() ends it, also when it hangs.
 * Threads    one.
 * Needs      /dev/fuse, and slow_fs in $SLUICE_BUILD. */
#ifndef TESTS_SUPPORT_SLOW_DISK_H
#define TESTS_SUPPORT_SLOW_DISK_H

#include <stdbool.h>
#include <sys/types.h>

#define SLOW_DISK_MS         5000
#define SLOW_DISK_PATH_BYTES 600u

struct slow_disk {
    pid_t pid; /* 0 when it does not run */
    char source[SLOW_DISK_PATH_BYTES];
    char mount[SLOW_DISK_PATH_BYTES];
    char flag[SLOW_DISK_PATH_BYTES];
    char names_flag[SLOW_DISK_PATH_BYTES];
};

/* The paths are set and their folders exist. False: it cannot be mounted here,
 * and nothing runs. */
bool slow_disk_start(struct slow_disk *d);
void slow_disk_stop(struct slow_disk *d);

#endif
