#!/usr/bin/env bash
# Checks the format of every source, and runs clang-tidy over those that the build compiles.
#   bash tools/lint.sh [--fix]
. "$(dirname "$0")/common.sh"
cd "$root"
command -v clang-format >/dev/null || fail "clang-format is not installed (apt-get install clang-format)" 3
command -v clang-tidy >/dev/null || fail "clang-tidy is not installed (apt-get install clang-tidy)" 3

mapfile -t sources < <(git ls-files '*.h' '*.hpp' '*.cpp' '*.cuh')
if [ "${1:-}" = --fix ]; then
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
git ls-files 'src/*.cpp' 'kernels/*.cpp' |
  xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build/lint" 2>/dev/null
