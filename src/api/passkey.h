/* What all ceremonies with passkeys share: what is asked of the browser, and how its answer is judged. One answer,
 * after the same work, whether there is no such passkey or its signature is wrong. */
#ifndef HOLDFAST_API_PASSKEY_H
#define HOLDFAST_API_PASSKEY_H

#include "api/factors.h"
#include "domain/webauthn/challenges.h"

struct passkey_site {
    struct arena *arena;
    struct view rp_id;
    struct text_list origins;
    struct webauthn_policy policy;
    struct challenges *challenges;
};
/* With what config_passkeys_complete left in c, which must outlive it. roots: PEM, or empty. ERR_BAD_CONFIG. */
RESULT passkey_site_new(const struct config *c, struct view roots, struct passkey_site **ret, struct problem *why);
void passkey_site_free(struct passkey_site *s);

/* Whose session, or which ticket, a challenge belongs to. ERR_INTERNAL without a session. */
RESULT passkey_flow_of_session(const struct http_request *req, struct challenge_for *ret);

/* --- asking */

extern const struct entity passkey_question_entity;
/* Gives a challenge out and answers with what navigator.credentials wants. user: whoever was named, or NULL. */
enum http_outcome passkey_ask(struct http_request *req, const struct challenge_for *what, const struct user *user);
void passkey_expect(const struct http_request *req, struct view challenge, struct webauthn_ceremony *ret);

/* --- answers: one made by an authenticator that signs */

struct passkey_shown {
    struct view ceremony, id, client_data, authenticator_data, signature, user_handle;
    uint8_t challenge[CHALLENGE_SIZE]; /* from passkey_take */
};
extern const struct entity passkey_shown_entity;
/* Uses the challenge up; once for a request, whatever comes of it. ERR_CHALLENGE_UNKNOWN. */
RESULT passkey_take(const struct http_request *req, struct passkey_shown *s, const struct challenge_for *what);
/* Whose passkey it says it is. ERR_NOT_FOUND. */
RESULT passkey_owner(const struct http_request *req, const struct passkey_shown *s, struct user_found *ret);
/* user: whose it must be; NULL: nobody, and so it is refused. named: he was known before, and need not have been
 * verified by the authenticator. ret->put goes into the same commit as what follows, so that of two answers with one
 * counter one goes through. ERR_BAD_CREDENTIALS; ERR_PASSKEY_CLONED, which is to be answered with passkey_refuse_copy.
 */
struct passkey_used {
    struct txn_change put;
    uint8_t shown; /* passkey_kind() */
};
RESULT passkey_judge(struct http_request *req, const struct passkey_shown *s, const struct user *user, bool named,
                     struct passkey_used *ret);
uint8_t passkey_kind(const struct webauthn_credential *c); /* which of enum shown_bits */
enum http_outcome passkey_refuse_copy(struct login *l);

#endif
