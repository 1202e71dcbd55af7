#!/bin/sh
# A route without a permission does not compile. Run as: no_permission.sh <compiler …>; answers in TAP.
set -u
src=$HOLDFAST_SOURCE/src
[ -f "$src/http/route.h" ] || { echo "Bail out! $src/http/route.h is missing"; exit 1; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0

# try <description> <compiles|refused> <row>
try() {
    n=$((n + 1))
    cat > "$work/case.c" <<CASE
#include "http/request.h"
enum { P_NONE, P_PUBLIC };
static enum http_outcome handler(struct http_request *req) { return http_answer_empty(req, 204); }
extern const struct route ROUTES[];
const struct route ROUTES[] = {$3};
CASE
    got=refused
    $compiler -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I"$src" "$work/case.c" 2> "$work/errors" && got=compiles
    if [ "$got" = "$2" ]; then echo "ok $n - $1"; else echo "not ok $n - $1 ($got)"; sed 's/^/# /' "$work/errors"; fi
}

compiler="$*"
echo "1..8"
try "a good row" compiles 'ROUTE(HTTP_GET, "/a", P_PUBLIC, handler, .name = "a")'
try "a good row in a bigger table" compiles 'ROUTE(HTTP_GET, "/a", P_PUBLIC, handler, .name = "a"), ROUTE(HTTP_GET, "/b", 7, handler, .name = "b")'
try "permission 0" refused 'ROUTE(HTTP_GET, "/a", P_NONE, handler, .name = "a")'
try "an empty permission" refused 'ROUTE(HTTP_GET, "/a", , handler, .name = "a")'
try "no permission" refused 'ROUTE(HTTP_GET, "/a", handler, .name = "a")'
try "a permission taken back" refused 'ROUTE(HTTP_GET, "/a", P_PUBLIC, handler, .name = "a", .permission = 0)'
try "a permission too large" refused 'ROUTE(HTTP_GET, "/a", 65536, handler, .name = "a")'
try "a negative permission" refused 'ROUTE(HTTP_GET, "/a", -1, handler, .name = "a")'
