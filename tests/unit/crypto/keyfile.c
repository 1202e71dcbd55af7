#include "keyfile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

const struct view keyfile_message = VIEW_STR("symbol=BTCUSDT&side=BUY");

struct keyfile keyfile_read(const char *name)
{
    const char *root = getenv("HOLDFAST_SOURCE");
    if (!root)
        fail_msg("HOLDFAST_SOURCE is not set: run through meson test, or set it to the source directory");
    char path[1024];
    snprintf(path, sizeof(path), "%s/tests/vectors/keys/%s", root, name);
    FILE *f = fopen(path, "rbe");
    if (!f)
        fail_msg("%s can't be opened", path);
    struct keyfile k;
    k.len = fread(k.bytes, 1, sizeof(k.bytes), f);
    fclose(f);
    assert_true(k.len > 0 && k.len < sizeof(k.bytes));
    return k;
}
