#include "api/sign_entity.h"

#include "base/fields.h"
#include "domain/secrets/secrets.h"

/* Schema numbers 0x0660 to 0x0661. Sizes are those of the signer's message. */

static const struct field wanted_fields[] = {
    FIELD(1, struct sign_wanted, credential, TEXT, SECRET_PATH_MAX, .flags = FIELD_REQUIRED, .check = secret_path_valid,
          .rule = "names of A-Z a-z 0-9 . _ - with '/' between them", .doc = "the credential's name"),
    FIELD(2, struct sign_wanted, scheme, TEXT, 64, .doc = "Another scheme of its venue; its own if absent."),
    FIELD(3, struct sign_wanted, method, TEXT, 64, .doc = "HTTP method, or the method of a WebSocket call."),
    FIELD(4, struct sign_wanted, host, TEXT, 256),
    FIELD(5, struct sign_wanted, path, TEXT, 1024, .doc = "Path of the request at the venue."),
    FIELD(6, struct sign_wanted, query, TEXT, 16384, .doc = "Without '?', signed byte for byte."),
    FIELD(7, struct sign_wanted, body, TEXT, 65536, .doc = "Signed byte for byte."),
    FIELD(8, struct sign_wanted, params, JSON, 65536,
          .doc = "Parameters or action: an object, used in exactly these bytes, or a text that holds one."),
    FIELD(9, struct sign_wanted, network, TEXT, 16, .doc = "mainnet or testnet, where the venue tells them apart."),
    FIELD(10, struct sign_wanted, vault_address, TEXT, 64),
    FIELD(11, struct sign_wanted, multi_sig_user, TEXT, 64),
    FIELD(12, struct sign_wanted, outer_signer, TEXT, 64),
    FIELD(13, struct sign_wanted, frame_id, TEXT, 64, .doc = "The id of a WebSocket call."),
    FIELD(14, struct sign_wanted, expires_after, U64, 0, .doc = "Milliseconds since 1970; 0 = not."),
    FIELD(15, struct sign_wanted, nonce, U64, 0, .doc = "0 = chosen here; else above the last and at most 5 s ahead."),
    FIELD(16, struct sign_wanted, recv_window_ms, U32, 0),
    FIELD(17, struct sign_wanted, dry_run, BOOL, 0,
          .doc = "Judge only: says which rule would decide, and signs nothing."),
    FIELD(18, struct sign_wanted, proof_nonce, TEXT, 64, .doc = "A random text, once for each proof."),
    FIELD(19, struct sign_wanted, proof_time_ms, U64, 0),
    FIELD(20, struct sign_wanted, proof, BYTES, 64, .doc = "The bot's Ed25519 signature over all this."),
    FIELD(21, struct sign_wanted, reason, TEXT, 1024, .doc = "Why; kept in the record."),
};
const struct entity sign_wanted_entity = ENTITY("SignRequest", 0x0660, 1, struct sign_wanted, wanted_fields);

static const struct field answer_fields[] = {
    FIELD(1, struct sign_answer, method, TEXT, 64),
    FIELD(2, struct sign_answer, url, TEXT, 20000),
    FIELD(3, struct sign_answer, headers, JSON, 16384, .doc = "One object: header names and values."),
    FIELD(4, struct sign_answer, body, TEXT, 80000),
    FIELD(5, struct sign_answer, signature, TEXT, 1024),
    FIELD(6, struct sign_answer, nonce, U64, 0),
    FIELD(7, struct sign_answer, timestamp_ms, U64, 0),
    FIELD(8, struct sign_answer, dry_run, BOOL, 0),
    FIELD(9, struct sign_answer, decision, TEXT, 64, .flags = FIELD_REQUIRED,
          .doc = "ok; of a dry run also the code of the refusal."),
    FIELD(10, struct sign_answer, rule, TEXT, 128, .doc = "The policy's rule that decided, as a JSON pointer."),
    FIELD(11, struct sign_answer, sentence, TEXT, 512),
};
const struct entity sign_answer_entity = ENTITY("SignAnswer", 0x0661, 1, struct sign_answer, answer_fields);
