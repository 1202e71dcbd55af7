/* One change of one API key, for the files of its routes: find it, change the copy, commit it with its record. */
#ifndef HOLDFAST_API_KEYS_OP_H
#define HOLDFAST_API_KEYS_OP_H

#include "api/keys.h"

enum key_may {
    MAY_MANAGE = 1, /* users:manage */
    MAY_OWN = 2,    /* its owner, signed in himself */
    MAY_SELF = 4,   /* the key itself */
};

struct key_work {
    struct http_request *req;
    struct api_key_found before;
    bool is_new;
    struct api_key key;           /* as it will be */
    char text[API_KEY_TEXT_SIZE]; /* "" unless this change shows it */
    uint16_t event;
    unsigned status; /* of the answer; 204 without a body */
};

struct api_keys *key_op_table(const struct http_request *req);
bool key_op_manages(const struct http_request *req);
bool key_op_may(const struct http_request *req, const struct api_key *k, unsigned who); /* bits of enum key_may */
/* Finds the key of the address into ret and returns true, or answers: who may not look can't tell whether there is one.
 */
bool key_op_find(struct http_request *req, unsigned who, struct api_key_found *ret, enum http_outcome *ret_outcome);
/* Somebody else's key is made or changed by who has shown a second factor a short while ago, or has none (second.h). */
bool key_op_fresh(const struct http_request *req, struct view owner);
/* So is a key, also one's own, that manages users or configures: keys are not asked for a second factor, so whoever has
 * a session that was left open could do by such a key what he is not let do himself. */
bool key_op_fresh_for(const struct http_request *req, const struct api_key *k);
/* key_op_find and key_op_fresh. */
bool key_op_find_to_change(struct http_request *req, unsigned who, struct api_key_found *ret,
                           enum http_outcome *ret_outcome);
/* What the key was used for, up to now. */
RESULT key_op_usage(struct http_request *req, struct view id, struct usage *ret);
/* NULL when memory is used up. */
struct key_work *key_op_work(struct http_request *req, const struct api_key_found *f, uint16_t event, unsigned status);
/* What is kept of a new text. */
RESULT key_op_keep(struct key_work *w, const struct api_key_parts *parts);
enum http_outcome key_op_commit(struct key_work *w);

#endif
