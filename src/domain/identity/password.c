#include "base/text.h"
#include "crypto/secmem.h"
#include "domain/identity/identity.h"

#define MOST_BYTES 1024
/* Of what is left when common words and runs are taken away. */
#define LEAST_REST     6
#define LEAST_DISTINCT 5

static const char *const words[] = {
#define WORD(text) text,
#include "domain/identity/password_words.def"
#undef WORD
};

/* --- kinds of characters */

enum kind { KIND_UPPER = 1, KIND_LOWER = 2, KIND_DIGIT = 4, KIND_SYMBOL = 8, KIND_ALL = 15 };

static unsigned kind_of(uint32_t c)
{
    if (c >= 'A' && c <= 'Z')
        return KIND_UPPER;
    if (c >= 'a' && c <= 'z')
        return KIND_LOWER;
    return c >= '0' && c <= '9' ? KIND_DIGIT : KIND_SYMBOL;
}

static const struct {
    unsigned kind;
    const char *missing;
} kinds[] = {
    {KIND_UPPER, "An upper-case letter is missing."},
    {KIND_LOWER, "A lower-case letter is missing."},
    {KIND_DIGIT, "A digit is missing."},
    {KIND_SYMBOL, "A symbol is missing, such as - or !."},
};

static unsigned count_kinds(unsigned seen)
{
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        n += (seen & kinds[i].kind) != 0;
    return n;
}

static RESULT check_kinds(struct view password, const struct config_passwords *rules, struct problem *why)
{
    struct view rest = password;
    unsigned seen = 0;
    size_t characters = 0;
    while (rest.len) {
        uint32_t c = 0;
        size_t n = utf8_next(rest, &c);
        if (n == 0)
            return problem_set(why, ERR_BAD_UTF8, "/password", "%s", "");
        seen |= kind_of(c);
        characters++;
        rest = VIEW(rest.ptr + n, rest.len - n);
    }
    if (characters < rules->min_length)
        return problem_set(why, ERR_WEAK_PASSWORD, "/password", "It needs at least %u characters.", rules->min_length);
    if (count_kinds(seen) >= rules->classes)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!(seen & kinds[i].kind))
            return problem_set(why, ERR_WEAK_PASSWORD, "/password", "%s", kinds[i].missing);
    return OK;
}

/* --- what a guessing program would not have */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* The letter that a digit or symbol is commonly written for. */
static uint8_t plain_letter(uint8_t c)
{
    static const char from[] = "013457@$!|", to[] = "oieastasil";
    const char *at = c ? strchr(from, c) : NULL;
    return at ? (uint8_t)to[at - from] : c;
}

static bool begins(struct view text, struct view word)
{
    if (text.len < word.len)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = lower(text.ptr[i]);
        if (c != word.ptr[i] && plain_letter(c) != word.ptr[i])
            return false;
    }
    return true;
}

static size_t word_length(struct view text, struct view user_name)
{
    size_t longest = user_name.len >= 3 && begins(text, user_name) ? user_name.len : 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct view word = view_str(words[i]);
        if (word.len > longest && begins(text, word))
            longest = word.len;
    }
    return longest;
}

/* "aaaa", "1234", "fedcba": at least three characters, each the same step from the one before. */
static size_t run_length(struct view text)
{
    if (text.len < 3)
        return 0;
    int step = lower(text.ptr[1]) - lower(text.ptr[0]);
    if (step < -1 || step > 1)
        return 0;
    size_t n = 2;
    while (n < text.len && lower(text.ptr[n]) - lower(text.ptr[n - 1]) == step)
        n++;
    return n >= 3 ? n : 0;
}

/* 1900 to 2099 */
static size_t year_length(struct view text)
{
    if (!view_starts(text, "19") && !view_starts(text, "20"))
        return 0;
    bool digits = text.len >= 4 && kind_of(text.ptr[2]) == KIND_DIGIT && kind_of(text.ptr[3]) == KIND_DIGIT;
    return digits ? 4 : 0;
}

static size_t common_length(struct view text, struct view user_name)
{
    size_t word = word_length(text, user_name), run = run_length(text), year = year_length(text);
    size_t longer = word > run ? word : run;
    return longer > year ? longer : year;
}

static RESULT check_common(struct view password, struct view user_name, struct problem *why)
{
    bool seen[256] = {false};
    size_t rest = 0, distinct = 0;
    for (size_t at = 0; at < password.len;) {
        size_t n = common_length(VIEW(password.ptr + at, password.len - at), user_name);
        if (n == 0) {
            uint8_t c = password.ptr[at];
            distinct += !seen[c];
            seen[c] = true;
            rest++;
        }
        at += n ? n : 1;
    }
    wipe(seen, sizeof seen);
    if (rest >= LEAST_REST && distinct >= LEAST_DISTINCT)
        return OK;
    return problem_set(why, ERR_WEAK_PASSWORD, "/password", "%s",
                       "Apart from common words, your name, years and runs such as 1234, too little is left.");
}

RESULT password_acceptable(struct view password, struct view user_name, const struct config_passwords *rules,
                           struct problem *why)
{
    if (password.len > MOST_BYTES)
        return problem_set(why, ERR_TOO_LONG, "/password", "At most %d bytes.", MOST_BYTES);
    TRY(check_kinds(password, rules, why));
    return check_common(password, user_name, why);
}
