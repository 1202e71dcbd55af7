/* The text that a bot signs over its request, see signer_msg.h. */
#include "base/text.h"
#include "crypto/hash.h"
#include "ipc/signer_msg.h"

static void line(struct writer *w, const char *name, struct view value)
{
    uint8_t hash[SHA256_SIZE];

    sha256(value, hash);
    writer_str(w, name);
    writer_u8(w, '=');
    hex_put(w, VIEW_OF(hash));
    writer_u8(w, '\n');
}

static void line_number(struct writer *w, const char *name, bool present, uint64_t value)
{
    char text[24];
    struct writer t = writer_fixed(text, sizeof text);

    if (present)
        writer_printf(&t, "%llu", (unsigned long long)value);
    line(w, name, writer_view_of(&t));
}

RESULT signer_proof_text(const struct signer_sign *s, struct writer *w)
{
    writer_str(w, "holdfast-proof-1\n");
    line(w, "path", s->path);
    line(w, "scheme", s->scheme);
    line(w, "method", s->method);
    line(w, "host", s->host);
    line(w, "request_path", s->request_path);
    line(w, "query", s->query);
    line(w, "body", s->body);
    line(w, "params", s->params);
    line(w, "network", s->network);
    line(w, "vault_address", s->vault_address);
    line(w, "multi_sig_user", s->multi_sig_user);
    line(w, "outer_signer", s->outer_signer);
    line(w, "frame_id", s->frame_id);
    line_number(w, "expires_after", s->has_expires_after, s->expires_after);
    line_number(w, "nonce", s->nonce != 0, s->nonce);
    line_number(w, "recv_window_ms", s->recv_window_ms != 0, s->recv_window_ms);
    line_number(w, "dry_run", true, s->dry_run);
    line_number(w, "proof_time_ms", true, s->proof_time_ms);
    line(w, "proof_nonce", s->proof_nonce);
    return writer_done(w);
}
