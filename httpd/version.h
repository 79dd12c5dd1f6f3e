/* version.h - the one place that says which version this is. */
#ifndef HTTPD_VERSION_H
#define HTTPD_VERSION_H

#define SLUICE_VERSION "0.1.0"

#endif
