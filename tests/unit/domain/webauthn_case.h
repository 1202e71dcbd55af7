/* Reads the vectors of tests/vectors/webauthn, and what a case expects. */
#ifndef HOLDFAST_TESTS_DOMAIN_WEBAUTHN_CASE_H
#define HOLDFAST_TESTS_DOMAIN_WEBAUTHN_CASE_H

#include "domain/webauthn/webauthn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CASE_RP_ID  "example.org"
#define CASE_ORIGIN "https://example.org"
#define CASE_NOW    UINT64_C(1780000000000) /* in 2026 */
#define CASE_LIST   4

/* A ceremony and what it points to: it stays where it was made. */
struct webauthn_case {
    struct webauthn_ceremony expect;
    struct webauthn_policy policy;
    struct view origins[1], top_origins[CASE_LIST], allowed[CASE_LIST], anchors[CASE_LIST];
    int32_t offered[CASE_LIST + 2];
    uint8_t aaguids[CASE_LIST][WEBAUTHN_AAGUID_SIZE];
};

json_t *case_load(const char *file); /* fails the test without it */
struct view case_bytes(struct arena *arena, const json_t *object,
                       const char *name);                     /* hex; fails the test without it */
struct view case_hex(struct arena *arena, const json_t *hex); /* allocated to its exact size */
const char *case_text(const json_t *object, const char *name);

/* All six algorithms offered, every attestation taken, the root trusted. */
void case_plain(struct webauthn_case *c, struct view challenge, struct view root);
/* The same, changed as "expect" says. */
void case_expect(struct webauthn_case *c, struct arena *arena, const json_t *expect);

#endif
