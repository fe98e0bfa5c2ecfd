#!/usr/bin/env bash
# Sets up, builds, and runs every test.
#   bash tools/test.sh [--no-setup] [--gpu] [CTEST-OPTION…]
#   --no-setup  install and build nothing: test what build/ holds
#   --gpu       the GPU tests alone
. "$(dirname "$0")/common.sh"

no_setup=0
gpu=0
options=()
for argument in "$@"; do
  case $argument in
    --no-setup) no_setup=1 ;;
    --gpu) gpu=1 ;;
    -h|--help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) options+=("$argument") ;;
  esac
done

prepare
cd "$root"
if [ "$gpu" = 1 ]; then
  # The program itself: a build directory carried from elsewhere has CTest files for other paths.
  exec "$build/bin/test_gpu" "${options[@]}"
fi
exec ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" "${options[@]}"
