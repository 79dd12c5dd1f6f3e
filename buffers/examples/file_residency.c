#include "buffers/file_residency.h"

#include <stdio.h>

/* What was just written is in memory: a loop may send it and not wait. */
int main(void)
{
    FILE *file = tmpfile();
    if (!file || fprintf(file, "%8192s", "") != 8192 || fflush(file) != 0)
        return 1;
    uint64_t n = file_resident(fileno(file), 0, 8192);
    if (n == RESIDENCY_UNKNOWN)
        printf("this file system cannot tell\n");
    else
        printf("%d of 8192 bytes\n", (int)n);
    fclose(file);
    return 0;
}
