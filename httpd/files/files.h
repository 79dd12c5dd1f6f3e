/* files.h - static files: the handler of a route with `files`.
 *
 * Promise    what is served lies beneath the route's folder, through symlinks
 *            too; dot-files do not exist for the outside (.well-known does).
 * Threads    the loop thread; open files are cached per worker. */
#ifndef HTTPD_FILES_FILES_H
#define HTTPD_FILES_FILES_H

struct exchange;

void files_handle(struct exchange *x);

#endif
