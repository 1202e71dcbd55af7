/* What libsodium allocates fails like everything else; see failing_alloc.h. */
#include "failing_alloc.h"

#include <errno.h>

void *__real_sodium_malloc(size_t n);
void *__wrap_sodium_malloc(size_t n);
int __real_crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *text,
                                  unsigned long long text_len, const unsigned char *salt, unsigned long long passes,
                                  size_t memory, int alg);
int __wrap_crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *text,
                                  unsigned long long text_len, const unsigned char *salt, unsigned long long passes,
                                  size_t memory, int alg);

void *__wrap_sodium_malloc(size_t n)
{
    return failing_alloc_now() ? NULL : __real_sodium_malloc(n);
}

int __wrap_crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *text,
                                  unsigned long long text_len, const unsigned char *salt, unsigned long long passes,
                                  size_t memory, int alg)
{
    if (!failing_alloc_now())
        return __real_crypto_pwhash_argon2id(out, out_len, text, text_len, salt, passes, memory, alg);
    errno = ENOMEM;
    return -1;
}
