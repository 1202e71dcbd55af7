/* Ways in that are not shown but there: a client's certificate, and the Unix group of who connects. Mappings say who
 * they stand for (domain/identity/mappings.h). */
#ifndef HOLDFAST_API_MAPPED_H
#define HOLDFAST_API_MAPPED_H

#include "api/context.h"

/* Whom the client's certificate stands for. OK with an empty identity: it has none, or one that stands for nobody.
 * ERR_BAD_REQUEST: for several; ERR_BAD_CREDENTIALS: it is out of its time, which it may have come to be on a
 * connection that was kept, or can't be read; ERR_CROSS_SITE: another site's page had a browser send this. */
RESULT mapped_certificate(struct http_request *req, struct mapping *ret);
/* Whom the group of the Unix peer stands for. */
RESULT mapped_group(struct http_request *req, struct mapping *ret);

#endif
