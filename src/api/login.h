/* Proving a password, and signing in once it is proven who somebody is: shared by log-in, enrolment and the change of
 * one's own password. */
#ifndef HOLDFAST_API_LOGIN_H
#define HOLDFAST_API_LOGIN_H

#include "api/passwords.h"
#include "api/people.h"

struct login {
    struct http_request *req;
    struct password_task task;  /* proves the password */
    struct password_task fresh; /* hashes a new one; password is empty if there is none */
    const char *fresh_where;
    struct view name, actor; /* "alice", "user:alice" */
    struct user_found user;
    bool known;  /* user is there */
    bool shut;   /* nobody could sign in as him now */
    bool cookie; /* the token goes into a cookie, and not into the answer */
    unsigned tries;
    bool second;                                  /* a second factor was shown, too */
    uint8_t shown;                                /* all in all: enum shown_bits */
    struct view how;                              /* what was shown, for the record */
    const struct txn_change *also;                /* goes into the same commit: the passkey that was used */
    enum http_outcome (*judge)(struct login *l);  /* login_judge, unless something else is judged */
    enum http_outcome (*hashed)(struct login *l); /* goes on when the new one is hashed */
    enum http_outcome (*proven)(struct login *l); /* goes on when the password is right; user is as it is then */
    char token[SESSION_TOKEN_SIZE];
    struct session session;
};

RESULT login_fill(struct login *l, struct http_request *req, struct view name, struct view password);
/* Has the password of l looked at, and goes on with l->proven if it is right. Otherwise it is refused, which is
 * recorded and counts against the user, the same whether there is none of that name, or he is locked or disabled. */
enum http_outcome login_verify(struct login *l);
/* With the result of that, and what is known of the user now: he may have changed since. Also for a lost race. */
enum http_outcome login_judge(struct login *l);
/* What ends a judgement: a session; a failure that counts against the user; the same answer where there is no user, or
 * he is shut out; and for a stranger. */
enum http_outcome login_succeed(struct login *l);
enum http_outcome login_fail(struct login *l);
void login_count_failure(struct login *l); /* the counting of login_fail, for who answers otherwise */
enum http_outcome login_shut(struct login *l);
enum http_outcome login_refuse(struct login *l); /* the same, where nothing was guessed and so nothing counts */
enum http_outcome login_refuse_stranger(struct http_request *req);
/* Fills a change and hands it over; then: calls login_settled first. */
enum http_outcome login_commit(struct login *l, RESULT (*fill)(struct login *l, struct api_change *c),
                               enum http_outcome (*then)(struct api_change *c));
/* True once it is durable. Otherwise *ret is the outcome: judged again after a lost race, or a problem. */
bool login_settled(struct api_change *c, enum http_outcome *ret);
RESULT login_put_user(struct login *l, struct api_change *c);
bool login_too_old(const struct login *l); /* the password; nothing but a new one helps */
enum http_outcome login_refuse_too_old(struct login *l);
/* Once the old password is proven: has the new one hashed, unless it was used before, and goes on with then, as proven.
 * where: the new one's field. */
enum http_outcome login_hash_fresh(struct login *l, const char *where, enum http_outcome (*then)(struct login *l));
/* Whether the session may come as a cookie, where that is asked for. ERR_CROSS_SITE, ERR_BAD_VALUE. */
RESULT login_check_cookie(const struct http_request *req, bool cookie, struct problem *why);
/* Makes a session for this user, and ends those that are too many (keep is how many old ones may stay); its record says
 * by what (how). */
RESULT login_begin_session(struct login *l, struct api_change *c, size_t keep);
/* Ends those that are over, and the oldest, until at most keep are left. */
RESULT login_end_sessions(struct login *l, struct api_change *c, size_t keep);
/* The password was right, and one of these has to follow. */
enum http_outcome login_answer_ticket(struct login *l, struct view ticket, const struct text_list *methods);
/* The new session, with its token. */
enum http_outcome login_answer(struct login *l, const struct user *user, unsigned status);
extern const struct entity login_answer_entity;
/* What the request says of its program; not cut in the middle of a character. */
struct view login_user_agent(const struct http_request *req);

#endif
