# Shared by the scripts beside it: where things are, and the build.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
flashcore=$build/bin/flashcore

say() { printf '== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$1" >&2; exit "${2:-1}"; }

# Configures and builds, unless --no-setup was given; then what build/ holds must do.
prepare() {
  if [ "${no_setup:-0}" = 1 ]; then
    [ -x "$flashcore" ] || fail "--no-setup: $flashcore is not there; build it first, or carry build/ here" 3
    return
  fi
  bash "$root/tools/setup.sh"
  say "building in ${build#"$root"/}"
  cmake -S "$root" --preset default >"$root/build/configure.log" 2>&1 ||
    { cat "$root/build/configure.log" >&2; fail "the build could not be configured"; }
  cmake --build "$build" -- --quiet 2>&1 || fail "the build failed"
}
