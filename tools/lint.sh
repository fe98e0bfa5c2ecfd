#!/usr/bin/env bash
# Checks the format of every source, and runs clang-tidy over those that the build compiles, or over
# those that are named.
#   [CLANG_TIDY=FILE] bash tools/lint.sh [--fix] [SOURCE …]
. "$(dirname "$0")/common.sh"
cd "$root"
command -v clang-format >/dev/null || fail "clang-format is not installed (apt-get install clang-format)" 3
tidy=${CLANG_TIDY:-clang-tidy}
command -v "$tidy" >/dev/null || fail "$tidy is not installed (pip install clang-tidy==18.1.8)" 3
# Older ones do not know std::source_location, which the emulator's headers use, and f16c.
version=$("$tidy" --version | sed -n 's/.*LLVM version \([0-9]*\).*/\1/p')
[ "${version:-0}" -ge 18 ] ||
  fail "$tidy is of LLVM ${version:-unknown}, at least 18 is needed: pip install clang-tidy==18.1.8, CLANG_TIDY=FILE" 3

mapfile -t sources < <(git ls-files '*.h' '*.hpp' '*.cpp' '*.cuh')
if [ "${1:-}" = --fix ]; then
  shift
  clang-format -i "${sources[@]}"
else
  say "format"
  clang-format --dry-run --Werror "${sources[@]}"
fi
say "clang-tidy"
# A configuration of its own: clang reads neither g++'s precompiled headers nor batched sources.
cmake -S "$root" -B "$build/lint" -G Ninja -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
  -DCMAKE_UNITY_BUILD=OFF -DFLASHCORE_BUILD_TESTS=OFF >/dev/null
cmake --build "$build/lint" --target flashcore_build_commit generated/embedded_kernels.cpp >/dev/null
[ $# -gt 0 ] || mapfile -t checked < <(git ls-files 'src/*.cpp' 'kernels/*.cpp')
[ $# -eq 0 ] || checked=("$@")
# clang has no name for g++'s gnu::no_sanitize, and lays what libstdc++ has deprecated to its users.
printf '%s\n' "${checked[@]}" |
  xargs -P "$(nproc)" -n 1 "$tidy" --quiet -p "$build/lint" --extra-arg=-Wno-unknown-attributes \
    --extra-arg=-Wno-deprecated-declarations 2>/dev/null
