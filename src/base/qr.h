/* QR codes (ISO/IEC 18004) of short texts, such as otpauth:// addresses: libqrencode. */
#ifndef HOLDFAST_BASE_QR_H
#define HOLDFAST_BASE_QR_H

#include "base/buf.h"

#define QR_TEXT_MAX 1024 /* bytes */

/* For a terminal: two modules to a character by half blocks, dark on light whatever the terminal's colours are, with
 * the quiet zone. ERR_TOO_LONG, ERR_NO_MEMORY. */
RESULT qr_terminal(struct view text, struct writer *w);
/* One SVG 1.1 element that scales, without scripts and references, safe to put into a page. */
RESULT qr_svg(struct view text, struct writer *w);

#endif
