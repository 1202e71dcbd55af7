#include "base/json.h"
#include "base/text.h"
#include "ledger/query.h"

static void put_base64(struct writer *w, const char *name, struct view bytes)
{
    json_name(w, name);
    writer_u8(w, '"');
    base64_put(w, bytes);
    writer_u8(w, '"');
}

RESULT export_head(struct view verifier, struct view checkpoint, struct writer *w)
{
    json_open(w, '{');
    json_u64(w, "holdfast_log", 1);
    json_text(w, "verifier", verifier);
    json_text(w, "checkpoint", checkpoint);
    json_close(w, '}');
    return writer_done(w);
}

RESULT export_record(const struct record_view *r, struct writer *w)
{
    uint8_t hash[SHA256_SIZE];
    leaf_hash(r->leaf_bytes, hash);
    json_open(w, '{');
    json_u64(w, "index", r->index);
    put_base64(w, "leaf", r->leaf_bytes);
    put_base64(w, "hash", VIEW_OF(hash));
    json_name(w, "who");
    if (r->erased)
        writer_str(w, "null");
    else
        entity_to_json(&request_context_entity, &r->who, w);
    put_base64(w, "who_salt", r->erased ? VIEW(NULL, 0) : VIEW_OF(r->who_salt));
    json_name(w, "what");
    entity_to_json(&record_object_entity, &r->what, w);
    put_base64(w, "what_salt", VIEW_OF(r->what_salt));
    json_close(w, '}');
    return writer_done(w);
}
