/* A file of tests/vectors/keys, whole. The test fails if it can't be read. */
#ifndef HOLDFAST_TESTS_CRYPTO_KEYFILE_H
#define HOLDFAST_TESTS_CRYPTO_KEYFILE_H

#include "base/buf.h"

struct keyfile {
    uint8_t bytes[4096];
    size_t len;
};

struct keyfile keyfile_read(const char *name);
#define KEYFILE(file) VIEW((file).bytes, (file).len)

/* What the signatures beside the keys are over. */
extern const struct view keyfile_message;

#endif
