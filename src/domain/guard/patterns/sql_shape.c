#include "domain/guard/patterns/sql_shape.h"

#include <endian.h>
#include <stdbool.h>

/* --- words */

#define WORD_MAX 19

struct word {
    char text[WORD_MAX + 1];
    uint8_t letter;
};

/* Sorted by text; H is a function of SQL: it counts as one only before a parenthesis, and is a plain word otherwise. */
static const struct word words[] = {
#include "domain/guard/patterns/sql_words.def"
};

/* The first bytes as a number that is in order as they are. */
static uint64_t head_of(const char *text)
{
    uint64_t n;
    memcpy(&n, text, sizeof n);
    return be64toh(n);
}

static uint8_t word_letter(const uint8_t *p, size_t n)
{
    char key[WORD_MAX + 1] = {0};
    size_t low = 0, high = ARRAY_LEN(words);
    uint64_t head;
    if (n < 2 || n > WORD_MAX)
        return 'W';
    memcpy(key, p, n);
    head = head_of(key);
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint64_t other = head_of(words[middle].text);
        int order = head == other ? memcmp(key, words[middle].text, sizeof key) : head < other ? -1 : 1;
        if (order == 0)
            return words[middle].letter;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 'W';
}

/* --- tokens */

struct shape {
    struct view text;
    size_t at;
    uint8_t *out;
    size_t len;
};

static uint8_t peek(const struct shape *s, size_t ahead)
{
    return s->at + ahead < s->text.len ? s->text.ptr[s->at + ahead] : 0;
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c >= 0x80;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Behind the closing quote; a doubled or escaped one does not close. */
static void skip_string(struct shape *s, uint8_t quote)
{
    for (; s->at < s->text.len; s->at++) {
        if (peek(s, 0) == '\\') {
            s->at++;
        } else if (peek(s, 0) == quote) {
            if (peek(s, 1) != quote) {
                s->at++;
                return;
            }
            s->at++;
        }
    }
}

static uint8_t take_number(struct shape *s)
{
    bool hex = peek(s, 0) == '0' && (peek(s, 1) == 'x' || peek(s, 1) == 'b');
    size_t start = s->at;
    while (is_digit(peek(s, 0)) || peek(s, 0) == '.' || (hex && is_word(peek(s, 0))) ||
           (peek(s, 0) == 'e' &&
            (is_digit(peek(s, 1)) || ((peek(s, 1) == '-' || peek(s, 1) == '+') && is_digit(peek(s, 2))))))
        s->at += peek(s, 0) == 'e' ? 2 : 1;
    if (hex)
        return 'N';
    /* "1or 2": what sticks to a number and is a word of SQL stands apart; anything else is a word as a whole (1st, 8h).
     */
    if (is_word(peek(s, 0))) {
        size_t from = s->at, end = from;
        while (end < s->text.len && is_word(s->text.ptr[end]))
            end++;
        if (word_letter(s->text.ptr + from, end - from) == 'W' || word_letter(s->text.ptr + from, end - from) == 'H') {
            s->at = end;
            return 'W';
        }
    }
    return s->at - start == 1 && s->text.ptr[start] == '.' ? 'Z' : 'N';
}

static uint8_t take_word(struct shape *s)
{
    size_t start = s->at;
    uint8_t letter;
    while (is_word(peek(s, 0)) || (peek(s, 0) == '.' && is_word(peek(s, 1))))
        s->at++;
    letter = word_letter(s->text.ptr + start, s->at - start);
    if (letter == 'H' || letter == 't') {
        size_t blank = peek(s, 0) == ' ' ? 1 : 0;
        return peek(s, blank) == '(' ? 'H' : letter == 't' ? 'T' : 'W';
    }
    /* n'text', x'4142': a string with a prefix. */
    if (s->at - start == 1 && peek(s, 0) == '\'' && strchr("nxbeu", s->text.ptr[start]))
        return 0;
    return letter == '-' ? 0 : letter;
}

static uint8_t take_marked(struct shape *s)
{
    uint8_t c = peek(s, 0), next = peek(s, 1);
    bool twice = next == c;
    s->at++;
    switch (c) {
    case '-':
        if (twice) {
            s->at = s->text.len;
            return 'X';
        }
        return 'M';
    case '#':
        s->at = s->text.len;
        return 'X';
    case '/':
        if (next == '*') {
            s->at = s->text.len;
            return 'X';
        }
        return 'M';
    case '&':
    case '|':
        s->at += twice;
        return twice ? 'B' : 'M';
    case '=':
    case '<':
    case '>':
    case '!':
        while (peek(s, 0) == '=' || peek(s, 0) == '<' || peek(s, 0) == '>' || peek(s, 0) == '!')
            s->at++;
        return c == '!' && s->text.ptr[s->at - 1] == '!' ? 0 : 'E';
    case '\\': /* \n stands for null in MySQL; elsewhere it is an escape that was left over */
        if (next == 'n' && !is_word(peek(s, 1))) {
            s->at++;
            return 'N';
        }
        return 0;
    case ':':
        if (next == '=') {
            s->at++;
            return 'E';
        }
        return 'Z';
    default:
        return 'Z';
    }
}

static uint8_t take_token(struct shape *s)
{
    uint8_t c = peek(s, 0);
    if (is_digit(c) || (c == '.' && is_digit(peek(s, 1))))
        return take_number(s);
    if (is_word(c))
        return take_word(s);
    switch (c) {
    case '\'':
    case '"':
        s->at++;
        skip_string(s, c);
        return 'S';
    case '`':
        s->at++;
        skip_string(s, c);
        return 'W';
    case '@':
        while (is_word(peek(s, 0)) || peek(s, 0) == '@' || peek(s, 0) == '.')
            s->at++;
        return 'V';
    case '(':
    case ')':
    case ',':
    case ';':
        s->at++;
        return c == '(' ? 'P' : c == ')' ? 'Q' : c == ',' ? 'C' : 'K';
    case '+':
    case '*':
    case '%':
    case '^':
    case '~':
        s->at++;
        return 'M';
    default:
        return take_marked(s);
    }
}

/* --- folding */

static bool is_value(uint8_t c)
{
    return c == '0' || c == 'N' || c == 'S' || c == 'V' || c == 'F' || c == 'W' || c == 'Y';
}

/* "(…)" with nothing but values and what joins them: one value; behind H a call of it. */
static bool fold_parenthesis(struct shape *s)
{
    size_t open = s->len - 1;
    uint8_t value = 0;
    while (open > 0 && s->out[open - 1] != 'P') {
        uint8_t c = s->out[--open];
        if (is_value(c))
            value = value && value != 'W' && value != 'Y' ? value : c;
        else if (c != 'C' && c != 'M')
            return false;
    }
    if (open == 0)
        return false;
    open--; /* the P */
    if (open > 0 && s->out[open - 1] == 'H') {
        s->out[open - 1] = 'F';
        s->len = open;
        return true;
    }
    if (!value)
        return false;
    if (open > 0 && s->out[open - 1] == 'W') { /* name(…), "see (chart)" */
        s->len = open;
        return true;
    }
    s->out[open] = value;
    s->len = open + 1;
    return true;
}

/* Folds the end of the shape once; false if there is nothing to fold. */
static bool fold(struct shape *s)
{
    uint8_t *o = s->out;
    size_t n = s->len;
    uint8_t last = n ? o[n - 1] : 0;
    if (n >= 2 && (last == 'W' || last == 'Y') && (o[n - 2] == 'W' || o[n - 2] == 'Y')) {
        o[n - 2] = 'Y';
        s->len = n - 1;
        return true;
    }
    if (n >= 2 && last == 'M' && o[n - 2] == 'M') {
        s->len = n - 1;
        return true;
    }
    if (n >= 2 && is_value(last) && o[n - 2] == 'M') {
        bool both = n >= 3 && is_value(o[n - 3]);
        if (both && o[n - 3] == '0' && (last == 'S' || last == 'F')) /* '-', '+version(): what a rule speaks of */
            return false;
        if (both && (o[n - 3] == 'W' || o[n - 3] == 'Y' || last == 'F'))
            o[n - 3] = last;
        else if (!both)
            o[n - 2] = last;
        s->len = both ? n - 2 : n - 1;
        return true;
    }
    return last == 'Q' && fold_parenthesis(s);
}

size_t sql_shape(struct view text, uint8_t quote, uint8_t *out)
{
    struct shape s = {.text = text, .out = out};
    if (quote) {
        skip_string(&s, quote);
        s.out[s.len++] = '0';
    }
    while (s.at < text.len) {
        uint8_t letter;
        if (peek(&s, 0) == ' ') {
            s.at++;
            continue;
        }
        letter = take_token(&s);
        if (!letter)
            continue;
        s.out[s.len++] = letter;
        while (fold(&s))
            ;
    }
    return s.len;
}
