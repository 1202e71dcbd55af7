# Shared by the scripts: packages and builds. Sourced, never run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        die "this needs root to run: $*"
    fi
}

# need SCOPE…: installs what script/packages lists for these scopes and is missing.
need() {
    local missing=() package scope pattern
    pattern=" $* "
    while read -r scope package; do
        case $scope in '' | '#'*) continue ;; esac
        [[ $pattern == *" $scope "* ]] || continue
        [ "$package" = nodejs ] && command -v node >/dev/null && continue
        [ "$package" = npm ] && command -v npm >/dev/null && continue
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done <script/packages
    [ ${#missing[@]} -eq 0 ] && return 0
    say "Installing: ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# configure DIR [meson options…]: once, and anew when a meson.build has changed.
configure() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.log" 2>&1 || { cat "$dir.log" >&2; die "meson setup failed"; }
    ninja -C "$dir" build.ninja >"$dir.log" 2>&1 || { cat "$dir.log" >&2; die "meson setup failed"; }
    rm -f "$dir.log"
}

# build DIR [meson options…]: configures, then builds.
build() {
    local dir=$1
    configure "$@"
    ninja -C "$dir" >"$dir.log" 2>&1 || { tail -50 "$dir.log" >&2; die "the build failed"; }
    rm -f "$dir.log"
}
