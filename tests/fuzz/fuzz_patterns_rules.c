/* A file of rules, and a request judged by them: what is taken compiles to signatures that stay within their line. */
#include "domain/guard/patterns/patterns.h"
#include "domain/guard/patterns/rule_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct patterns_file file = {"rules.yaml", VIEW(data, size)};
    AUTO(patterns_free) struct patterns *p = NULL;
    AUTO(patterns_scratch_free) struct patterns_scratch *s = NULL;
    struct patterns_request r = {
        .target = VIEW_STR("/a?b=<c>&d=1'+or+1=1--"), .kind = PATTERNS_BODY_TEXT, .body = VIEW(data, size)};
    struct patterns_verdict v = {0};
    struct problem why = {0};
    if (size > 4096) /* what is long takes Hyperscan long to compile, and shows nothing else */
        return 0;
    if (patterns_new(&file, 1, NULL, &p, &why) != OK) {
        if (why.code == ERR_BAD_CONFIG && why.detail[0] == '\0')
            abort(); /* a refusal says why */
        return 0;
    }
    for (size_t i = 0; i < patterns_count(p); i++)
        if (strstr(patterns_rule(p, i)->compiled, "[^\\n") == NULL && strstr(patterns_rule(p, i)->compiled, "\\n"))
            abort(); /* nothing but a negated class names a line break */
    if (patterns_scratch_new(p, NULL, &s) == OK && patterns_check(p, &r, s, &v) == OK &&
        v.hit_count > PATTERNS_HITS_MAX)
        abort();
    return 0;
}
