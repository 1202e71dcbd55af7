/* Speaks to the HTTP API with libcurl: TLS 1.3 against the pinned certificate, or the Unix socket. Never follows a
 * redirect, never uses a proxy, never sends a token to a server whose certificate did not verify. */
#ifndef HOLDFAST_CLI_API_H
#define HOLDFAST_CLI_API_H

#include "cli/cli.h"

#define API_ANSWER_MAX ((size_t)32 << 20)

struct api_answer {
    long status;
    struct view body; /* until the next call */
};

/* One request. path begins with "/api/" and is percent-encoded; body empty: none is sent. A problem document fills c
 * (sentence, pointer, request id) and its code is the result. ERR_UNAVAILABLE when nobody answers. */
RESULT api_call(struct cli *c, const char *method, const char *path, struct view body, struct api_answer *ret);
/* The same without a token, and with any status for an answer. */
RESULT api_call_open(struct cli *c, const char *method, const char *path, struct view body, struct api_answer *ret);
/* What a problem document says, into c; never OK. */
RESULT api_problem(struct cli *c, const struct api_answer *answer);
/* The error that a stable code names; ERR_INTERNAL for one that this program does not know. */
enum err api_code(const char *name);
/* For commands that do nothing without a reason: --reason, or HOLDFAST_REASON. ERR_REASON_NEEDED, ERR_BAD_VALUE. */
RESULT api_needs_reason(struct cli *c);
void api_free(struct api *a);
/* Encodes a path's segments, slashes kept, behind prefix; the text is in the arena, NULL when memory is used up. */
const char *api_path(struct cli *c, const char *prefix, const char *path);
/* Appends name=value, encoded, with '?' or '&' as needed; a NULL value appends nothing. */
void api_query(struct writer *w, const char *name, const char *value);
/* The address in use: --address, HOLDFAST_ADDR, the profile's, the default. */
RESULT api_address(struct cli *c, const char **ret);
/* The certificate that the server at the address shows, as PEM, without believing it. */
RESULT api_certificate(struct cli *c, struct writer *ret_pem);
/* The token in use, or NULL: --token-file, HOLDFAST_TOKEN, the profile's session. */
RESULT api_token(struct cli *c, struct secret **ret);

#endif
