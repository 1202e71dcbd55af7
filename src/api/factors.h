/* A change of one user's second factors, whichever they are: his row, what it costs his sessions, and the record, in
 * one commit. */
#ifndef HOLDFAST_API_FACTORS_H
#define HOLDFAST_API_FACTORS_H

#include "api/login.h"
#include "domain/identity/passkeys.h"

struct factors_edit {
    struct login login; /* first; user: as it will be */
    /* Changes login.user.user.mfa, and may put rows of its own. Runs again after a lost race. */
    RESULT (*apply)(struct factors_edit *e, struct api_change *c);
    enum http_outcome (*answer)(struct factors_edit *e);
    uint16_t event;
    struct view what, code;
    bool ends_sessions;     /* all but the one that asks, if it renews; apply may still say so */
    bool renews;            /* the session that asks has just shown a second factor */
    struct text_list codes; /* recovery codes that were made */
    struct user_found before;
};

/* Fills e for a change of the caller's own, which is answered with 204 unless something else is set. */
RESULT factors_own(struct factors_edit *e, struct http_request *req, uint16_t event, struct view what);
enum http_outcome factors_commit(struct factors_edit *e);
enum http_outcome factors_answer_empty(struct factors_edit *e);
enum http_outcome factors_answer_codes(struct factors_edit *e);
extern const struct entity factors_codes_entity; /* of struct factors_edit */
RESULT factors_make_codes(struct factors_edit *e);
/* The rows of those passkeys that before has and after has not, which may be NULL: nobody. */
RESULT factors_drop_passkeys(struct api_change *c, const struct user *before, const struct user *after);

#endif
