#!/usr/bin/env bash
# Installs the library to an empty prefix, builds the README's C++ example against it with
# find_package, and runs it; then runs the installed command.
#   consumer_test.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source=$1
build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```cpp$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$source/README.md" >"$work/example.cpp"
[ -s "$work/example.cpp" ] || { echo "the README has no C++ example"; exit 1; }

cmake --install "$build" --prefix "$work/prefix" >"$work/log" || { cat "$work/log"; exit 1; }
cmake -S "$source/tests/install" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/prefix" -DEXAMPLE="$work/example.cpp" >"$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work/build" >"$work/log" || { cat "$work/log"; exit 1; }

"$work/build/consumer"
"$work/prefix/bin/flashcore" --version
