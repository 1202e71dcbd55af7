/* The system calls of each sandbox profile: the table behind sandbox.c. */
#ifndef HOLDFAST_IPC_SANDBOX_CALLS_H
#define HOLDFAST_IPC_SANDBOX_CALLS_H

#include "ipc/sandbox.h"

#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

enum call_test {
    CALL_ANY,  /* whatever its arguments */
    CALL_ARG,  /* only if (argument & mask) == value */
    CALL_BOTH, /* and (argument2 & mask) == value2 */
};
#define CALL_OWN_PID UINT64_MAX /* as value: the process's own id */

struct sandbox_call {
    const char *name;
    unsigned profiles; /* bits 1 << enum sandbox_profile */
    enum call_test test;
    unsigned argument; /* from 0 */
    uint64_t mask, value;
    unsigned argument2;
    uint64_t value2;
    int error; /* 0: the call is made; else it fails with this errno instead of ending the process */
};

extern const struct sandbox_call sandbox_calls[];
extern const size_t sandbox_call_count;

#endif
