/* files.h - static files: the handler of a route with `files`.
 *
 *      path behind the prefix -> cached file, folder, or nothing
 *        file    conditionals -> coding -> ranges -> send
 *        folder  index file, else listing; a redirect adds a missing slash
 *
 * Promise    what is served lies beneath the route's folder, through symlinks
 *            too; dot-files do not exist for the outside (.well-known does).
 *            Runs of slashes count as one. GET, HEAD and OPTIONS only.
 *            A single range may be of a file beside the asked one (FILE.br);
 *            a request for several ranges gets them of the file itself, and
 *            no range is ever of gzip made on the fly.
 * Limits     FILES_LOCATION_BYTES_MAX for a redirect's target.
 * Waiting    names are looked up beside the loop (file_find.h). A listing is
 *            not: that of a folder which is not in memory waits for its disk.
 * Threads    the loop thread; open files are cached per worker.
 * Source     RFC 9110 sections 9.3, 12.5.3, 13, 14, 15.3.7, 15.5.17. */
#ifndef HTTPD_FILES_FILES_H
#define HTTPD_FILES_FILES_H

#define FILES_LOCATION_BYTES_MAX (12u << 10)

struct exchange;

void files_handle(struct exchange *x);

#endif
