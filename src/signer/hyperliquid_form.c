/* What each type of member accepts. */
#include "signer/hyperliquid.h"
#include "signer/hyperliquid_check.h"
#include "signer/msgpack.h"

RESULT hyperliquid_form_wrong(const struct hl_walk *w, const json_t *value, const char *wanted)
{
    if (json_is_real(value))
        return hyperliquid_refuse(w, ERR_WRONG_TYPE,
                                  "must be %s; numbers with a point or exponent are never signed, write them as text",
                                  wanted);
    return hyperliquid_refuse(w, ERR_WRONG_TYPE, "must be %s", wanted);
}

/* --- the forms */

static RESULT check_range(const struct hl_walk *w, const json_t *value, json_int_t min, json_int_t max)
{
    json_int_t n = json_integer_value(value);
    if (n >= min && n <= max)
        return OK;
    return hyperliquid_refuse(w, ERR_OUT_OF_RANGE, "must be from %lld to %lld", (long long)min, (long long)max);
}

static RESULT check_uint(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    bool narrow = m->eip && strcmp(m->eip, "uint32") == 0;
    if (!json_is_integer(value))
        return hyperliquid_form_wrong(w, value, "an integer");
    return check_range(w, value, 0, narrow ? UINT32_MAX : MSGPACK_INTEGER_MAX);
}

static RESULT check_int(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    if (!json_is_integer(value))
        return hyperliquid_form_wrong(w, value, "an integer");
    return check_range(w, value, -MSGPACK_INTEGER_MAX, MSGPACK_INTEGER_MAX);
}

static RESULT check_bool(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    return json_is_boolean(value) ? OK : hyperliquid_form_wrong(w, value, "true or false");
}

static RESULT check_nothing(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    return json_is_null(value) ? OK : hyperliquid_form_wrong(w, value, "null");
}

static RESULT check_text(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    return json_is_string(value) ? OK : hyperliquid_form_wrong(w, value, "text");
}

static RESULT check_decimal(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    char normal[64];
    struct writer out = writer_fixed(normal, sizeof(normal) - 1);
    (void)m;
    if (!json_is_string(value))
        return hyperliquid_form_wrong(w, value, "a decimal number as text");
    if (hyperliquid_is_normal(hl_text(value)))
        return OK;
    enum err e = hyperliquid_decimal(hl_text(value), &out);
    if (e == ERR_OUT_OF_RANGE)
        return hyperliquid_refuse(w, e, "at most 8 decimals");
    if (e != OK || normal[0] == '-')
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be a decimal number that is not negative");
    return hyperliquid_refuse(w, ERR_BAD_VALUE, "the venue hashes the shortest form: write \"%.*s\"", (int)out.len,
                              normal);
}

static RESULT check_number(struct hl_walk *w, const json_t *value, struct view text, bool signed_too)
{
    struct decimal number;
    if (!json_is_string(value))
        return hyperliquid_form_wrong(w, value, "a decimal number as text");
    enum err e = decimal_parse(text, &number);
    if (e == ERR_OUT_OF_RANGE)
        return hyperliquid_refuse(w, e, "the number has too many digits");
    if (e != OK || (!signed_too && decimal_is_negative(number)))
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be a decimal number%s", signed_too ? "" : ", not negative");
    return OK;
}

static RESULT check_amount(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    return check_number(w, value, hl_text(value), false);
}

static RESULT check_rate(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    return check_number(w, value, hl_text(value), true);
}

static RESULT check_usd_text(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    static const char marker[] = " subaccount:";
    uint8_t address[HL_ADDRESS_SIZE];
    struct view text = hl_text(value), amount = text;
    (void)m;
    const uint8_t *space = text.len ? memchr(text.ptr, ' ', text.len) : NULL;
    if (space) {
        amount.len = (size_t)(space - text.ptr);
        struct view rest = VIEW(space, text.len - amount.len);
        if (!view_starts(rest, marker) ||
            hyperliquid_address(VIEW(rest.ptr + strlen(marker), rest.len - strlen(marker)), address) != OK)
            return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be an amount, or \"<amount> subaccount:<address>\"");
    }
    return check_number(w, value, amount, false);
}

static RESULT check_address(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    uint8_t address[HL_ADDRESS_SIZE];
    (void)m;
    if (!json_is_string(value))
        return hyperliquid_form_wrong(w, value, "an address as text");
    if (hyperliquid_address(hl_text(value), address) != OK)
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be 0x and 40 hexadecimal digits in lower case");
    return OK;
}

static RESULT check_sender(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    if (json_is_string(value) && json_string_length(value) == 0)
        return OK;
    return check_address(w, m, value);
}

static RESULT check_hex(struct hl_walk *w, const json_t *value, size_t min, size_t max)
{
    if (!json_is_string(value))
        return hyperliquid_form_wrong(w, value, "hexadecimal digits as text");
    if (hyperliquid_is_hex(hl_text(value), min, max))
        return OK;
    if (min == max)
        return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be 0x and %zu hexadecimal digits in lower case", min);
    return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be 0x and hexadecimal digits in lower case");
}

static RESULT check_recipient(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    TRY(check_text(w, m, value));
    return view_starts(hl_text(value), "0x") ? check_hex(w, value, 40, 64) : OK;
}

static RESULT check_cloid(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    return check_hex(w, value, 32, 32);
}

static RESULT check_order_ref(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    return json_is_integer(value) ? check_uint(w, m, value) : check_cloid(w, m, value);
}

static RESULT check_bytes(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    TRY(check_hex(w, value, 0, 65536));
    return json_string_length(value) % 2 == 0 ? OK
                                              : hyperliquid_refuse(w, ERR_BAD_VALUE, "a hexadecimal digit is missing");
}

static RESULT check_scalar(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    (void)m;
    return check_hex(w, value, 1, 64);
}

static RESULT check_choice(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    if (m->shape && json_is_object(value))
        return hyperliquid_walk_shape(w, m->shape, value);
    if (!json_is_string(value))
        return hyperliquid_form_wrong(w, value, "one of the known words");
    for (const char *const *c = m->choices; *c; c++)
        if (view_is(hl_text(value), *c))
            return OK;
    return hyperliquid_refuse(w, ERR_BAD_VALUE, "must be one of the known words, as \"%s\"", m->choices[0]);
}

static RESULT check_signer_list(struct hl_walk *w, const json_t *users)
{
    size_t count = json_array_size(users);
    for (size_t i = 0; i < count; i++) {
        struct view destination;
        TRY(check_address(w, NULL, json_array_get(users, i)));
        TRY(arena_copy(w->arena, hl_text(json_array_get(users, i)), &destination));
        TRY(hyperliquid_intent_to(w, destination));
    }
    return count > 0 ? OK : hyperliquid_refuse(w, ERR_BAD_VALUE, "no authorizedUsers");
}

/* The venue reads this text as JSON, so the policy has to see inside. "null" makes a normal account of it again. */
static RESULT check_signers(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    __attribute__((cleanup(json_decref_auto))) json_t *signers = NULL;
    TRY(check_text(w, m, value));
    if (view_is(hl_text(value), "null"))
        return hyperliquid_intent_to(w, (struct view){0});
    const json_t *users = NULL, *threshold = NULL;
    if (json_read(hl_text(value), &signers, NULL) == OK) {
        users = json_object_get(signers, "authorizedUsers");
        threshold = json_object_get(signers, "threshold");
    }
    if (!json_is_array(users) || !json_is_integer(threshold) || json_object_size(signers) != 2)
        return hyperliquid_refuse(w, ERR_BAD_VALUE,
                                  "must be the text {\"authorizedUsers\":[addresses],\"threshold\":number}, or null");
    return check_signer_list(w, users);
}

static RESULT check_shape(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    return hyperliquid_walk_shape(w, m->shape, value);
}

RESULT hyperliquid_form_check(struct hl_walk *w, const struct hl_member *m, const json_t *value)
{
    static enum err (*const checks[])(struct hl_walk *, const struct hl_member *, const json_t *) = {
        [HL_UINT] = check_uint,         [HL_INT] = check_int,
        [HL_BOOL] = check_bool,         [HL_NOTHING] = check_nothing,
        [HL_TEXT] = check_text,         [HL_DECIMAL] = check_decimal,
        [HL_AMOUNT] = check_amount,     [HL_RATE] = check_rate,
        [HL_USD_TEXT] = check_usd_text, [HL_ADDRESS] = check_address,
        [HL_SENDER] = check_sender,     [HL_RECIPIENT] = check_recipient,
        [HL_CLOID] = check_cloid,       [HL_ORDER_REF] = check_order_ref,
        [HL_HEX] = check_bytes,         [HL_SCALAR] = check_scalar,
        [HL_CHOICE] = check_choice,     [HL_SIGNERS] = check_signers,
        [HL_SHAPE] = check_shape,       [HL_ACTION] = hyperliquid_walk_action,
    };
    if (json_is_null(value) && (m->flags & HL_NULLABLE))
        return OK;
    TRY(checks[m->type](w, m, value));
    return hyperliquid_intent_note(w, m, value);
}
