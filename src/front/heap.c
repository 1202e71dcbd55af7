/* libmicrohttpd and GnuTLS make some thirty small blocks for a request and give them back at its end. glibc keeps such
 * blocks at hand for each thread, but calloc(3) never takes them (glibc before 2.41), so half of them went the long way
 * round. This one takes them; what comes back is as zero as ever. */
#include <stdlib.h>
#include <string.h>

#define SMALL 1024 /* bytes; what glibc keeps at hand is at most 1,032 */

/* glibc's own, under the name that it exports for those who stand in front of it. */
void *__libc_calloc(size_t count, size_t size);

void *calloc(size_t count, size_t size)
{
    size_t all;
    if (__builtin_mul_overflow(count, size, &all) || all > SMALL)
        return __libc_calloc(count, size);
    void *block = malloc(all);
    if (block)
        explicit_bzero(block, all); /* of memset, the compiler would make a call of calloc */
    return block;
}
