/* What libsodium allocates, and every piece of an arena, fail like everything else; see failing_alloc.h. */
#include "base/arena.h"
#include "failing_alloc.h"

#include <errno.h>

void *__real_arena_alloc(struct arena *a, size_t n);
void *__wrap_arena_alloc(struct arena *a, size_t n);
char *__real_arena_str(struct arena *a, struct view v);
char *__wrap_arena_str(struct arena *a, struct view v);
enum err __real_arena_copy(struct arena *a, struct view v, struct view *ret);
enum err __wrap_arena_copy(struct arena *a, struct view v, struct view *ret);

void *__wrap_arena_alloc(struct arena *a, size_t n)
{
    return failing_alloc_now() ? NULL : __real_arena_alloc(a, n);
}

char *__wrap_arena_str(struct arena *a, struct view v)
{
    return failing_alloc_now() ? NULL : __real_arena_str(a, v);
}

enum err __wrap_arena_copy(struct arena *a, struct view v, struct view *ret)
{
    return v.len > 0 && failing_alloc_now() ? ERR_NO_MEMORY : __real_arena_copy(a, v, ret);
}

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
