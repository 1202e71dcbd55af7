/* Who comes with a one-time token and sets his password with it: an administrator who enrols, a user who was invited.
 * What he sends, and the hashing of the password, are the same for both. */
#ifndef HOLDFAST_API_NEWCOMER_H
#define HOLDFAST_API_NEWCOMER_H

#include "api/login.h"

struct newcomer_request {
    struct view name, token, password;
    bool cookie;
};
/* FIELD_* are base/fields.h's. */
#define NEWCOMER_FIELDS(name_doc, token_doc)                                                                           \
    FIELD(1, struct newcomer_request, name, TEXT, USER_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1,                    \
          .check = user_name_valid, .rule = USER_NAME_RULE, .doc = (name_doc)),                                        \
        FIELD(2, struct newcomer_request, token, TEXT, 128, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,      \
              .doc = (token_doc)),                                                                                     \
        FIELD(3, struct newcomer_request, password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,  \
              .doc = "As the rules for passwords say."),                                                               \
        FIELD(4, struct newcomer_request, cookie, BOOL, 0, .doc = "For browsers: the token comes as a cookie alone.")

struct newcomer {
    struct login login; /* first; its task hashes the new password */
    struct view token;
    enum http_outcome (*hashed)(struct newcomer *n); /* goes on when that is done */
};

struct newcomer_kind {
    size_t size;                           /* of what begins with struct newcomer */
    RESULT (*prepare)(struct newcomer *n); /* before the password is hashed */
    enum http_outcome (*hashed)(struct newcomer *n);
};
/* Reads the request, and has its password hashed if it is acceptable. */
enum http_outcome newcomer_begin(struct http_request *req, const struct newcomer_kind *kind);

#endif
