#!/usr/bin/env bash
# Runs the GPU tests under compute-sanitizer: out-of-bounds accesses, races, uninitialised reads,
# misused barriers. Needs a GPU and a built tree.
#   bash tools/sanitize.sh [TOOL…]     memcheck racecheck initcheck synccheck without one
. "$(dirname "$0")/common.sh"

sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
[ -x "$sanitizer" ] || fail "compute-sanitizer is not installed: it comes with the CUDA toolkit" 3
[ -x "$build/bin/test_gpu" ] || fail "build first: bash tools/test.sh" 3
[ $# -gt 0 ] || set -- memcheck racecheck initcheck synccheck

# Every access is checked one by one, so fewer Problems and launches than the plain run's.
export FLASHCORE_TEST_PROBLEMS=${FLASHCORE_TEST_PROBLEMS:-40}
export FLASHCORE_TEST_LAUNCHES=${FLASHCORE_TEST_LAUNCHES:-200}
status=0
for tool in "$@"; do
  say "compute-sanitizer --tool $tool"
  "$sanitizer" --tool "$tool" --error-exitcode 1 "$build/bin/test_gpu" --gtest_brief=1 || status=1
done
exit "$status"
