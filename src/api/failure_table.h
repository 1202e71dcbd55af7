/* What is answered while a part of Holdfast is missing: failure × class of request, as data. docs/failures.md holds the
 * same table for people; a test compares the two. */
#ifndef HOLDFAST_API_FAILURE_TABLE_H
#define HOLDFAST_API_FAILURE_TABLE_H

#include "http/route.h"

enum failure {
    FAILURE_NONE,
    FAILURE_NOT_INITIALISED, /* there is no root key yet */
    FAILURE_SEALED,
    FAILURE_KEEPER_DEAD,
    FAILURE_SIGNER_DEAD,
    FAILURE_DISK_FULL,
    FAILURE_CLOCK_JUMPED,
    FAILURE_LOG_UNWRITABLE,
    FAILURE_LOG_MISMATCH, /* the store's log is not the one that the keeper signed */
    FAILURE_COUNT
};

enum request_class {
    CLASS_HEALTH, /* health, status, openapi */
    CLASS_LOGIN,  /* log in, enrol */
    CLASS_SECRET, /* reading a secret's value */
    CLASS_CHANGE, /* everything that changes something */
    CLASS_SIGN,
    CLASS_AUDIT,   /* reading the record */
    CLASS_READ,    /* other reads: people, keys, lists */
    CLASS_VERDICT, /* may this be done: keys verified */
    CLASS_COUNT
};

extern const char *const failure_names[FAILURE_COUNT];
extern const char *const request_class_names[CLASS_COUNT];

enum request_class failure_class_of(const struct route *r);
/* OK: it is answered as usual. */
enum err failure_answer(enum failure f, enum request_class c);

#endif
