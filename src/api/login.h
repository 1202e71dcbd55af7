/* Signing in by password, once it is proven who somebody is: shared by log-in and enrolment. */
#ifndef HOLDFAST_API_LOGIN_H
#define HOLDFAST_API_LOGIN_H

#include "api/passwords.h"
#include "api/people.h"

struct login {
    struct http_request *req;
    struct password_task task;
    struct view name, actor; /* "alice", "user:alice" */
    struct user_found user;
    bool known; /* user is there */
    unsigned tries;
    struct view authored; /* enrolment: the keeper's record */
    char token[SESSION_TOKEN_SIZE];
    struct session session;
};

RESULT login_fill(struct login *l, struct http_request *req, struct view name, struct view password);
/* Makes a session for this user, and ends those that are too many (keep is how many old ones may stay). */
RESULT login_begin_session(struct login *l, struct api_change *c, size_t keep);
/* The new session, with its token. */
enum http_outcome login_answer(struct login *l, const struct user *user, unsigned status);
extern const struct entity login_answer_entity;

#endif
