#include "base/qr.h"

#include <errno.h>
#include <qrencode.h>

#define QUIET 4 /* light modules around the symbol, as the standard wants */

static RESULT encode(struct view text, QRcode **ret)
{
    if (text.len == 0 || text.len > QR_TEXT_MAX)
        return ERR_TOO_LONG;
    QRcode *code = QRcode_encodeData((int)text.len, text.ptr, 0, QR_ECLEVEL_M);
    if (!code)
        return errno == ERANGE ? ERR_TOO_LONG : ERR_NO_MEMORY;
    *ret = code;
    return OK;
}

/* The symbol holds a secret where the text does. */
static void code_free(QRcode *code)
{
    volatile unsigned char *p = code->data;

    for (int i = 0; i < code->width * code->width; i++)
        p[i] = 0;
    QRcode_free(code);
}

static bool dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width && (code->data[y * code->width + x] & 1);
}

RESULT qr_terminal(struct view text, struct writer *w)
{
    /* Upper half, lower half. Light is drawn and dark is the background, so both colours are set. */
    static const char *const blocks[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
    QRcode *code = NULL;

    TRY(encode(text, &code));
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        writer_str(w, "\033[97;40m");
        for (int x = -QUIET; x < code->width + QUIET; x++)
            writer_str(w, blocks[dark(code, x, y)][dark(code, x, y + 1)]);
        writer_str(w, "\033[0m\n");
    }
    code_free(code);
    return writer_done(w);
}

RESULT qr_svg(struct view text, struct writer *w)
{
    QRcode *code = NULL;

    TRY(encode(text, &code));
    int size = code->width + 2 * QUIET;
    writer_printf(w,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\" "
                  "role=\"img\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"",
                  size, size, size, size);
    for (int y = 0; y < code->width; y++)
        for (int x = 0, run = 0; x < code->width; x += run + 1) {
            for (run = 0; dark(code, x + run, y); run++)
                ;
            if (run > 0)
                writer_printf(w, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, run, run);
        }
    writer_str(w, "\"/></svg>");
    code_free(code);
    return writer_done(w);
}
