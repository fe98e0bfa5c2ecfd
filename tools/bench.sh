#!/usr/bin/env bash
# Sets up, builds, checks the compiler's resource report, benchmarks and gates.
#   bash tools/bench.sh [--no-setup] [VARIANT…]
#   --no-setup  install and build nothing: use what build/ holds
#   VARIANT     as `flashcore info` lists them; without one, all that this machine can run, and
#               where that is no GPU's, those on the emulator at a small shape, untimed
#   ladder      every rung of the ladder in the same rounds, each against its limit
# Results: results/bench_<variant>.json. Exit status 1 when a gate fails, 3 when what was asked for
# could not be measured here.
. "$(dirname "$0")/common.sh"

no_setup=0
variants=()
for argument in "$@"; do
  case $argument in
    --no-setup) no_setup=1 ;;
    -h|--help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) fail "unknown option $argument (see --help)" 2 ;;
    *) variants+=("$argument") ;;
  esac
done

prepare
cd "$root"
mkdir -p results/compile
status=0

# The ladder's own ptxas gates hold its kernels to their budgets.
if [ "${variants[*]}" != ladder ]; then
  say "the compiler's resource report (no GPU needed)"
  "$flashcore" compile --json results/compile/report.json >results/compile/report.txt || status=$?
  [ "$status" != 3 ] || { say "no kernel compiler on this machine: not checked"; status=0; }
  [ ! -s results/compile/report.txt ] || echo "each kernel's line is in results/compile/report.txt"
fi

files=()

# Runs `flashcore bench` with the options that follow a name for the results.
run_bench() {
  local file=results/bench_$1.json code=0
  shift
  rm -f "$file"
  "$flashcore" bench "$@" --json "$file" || code=$?
  [ "$code" = 0 ] || [ "$status" = 1 ] || status=$code
  [ ! -f "$file" ] || files+=("$file")
}

if [ ${#variants[@]} = 0 ]; then
  mapfile -t variants < <("$flashcore" info --runnable)
  say "variants that run on this machine: ${variants[*]} (${flashcore#"$root/"} info says why no others do)"
  if [ "${variants[*]}" = cpu ]; then
    say "the GPU's kernels on the emulator, at a small shape: executed and checked, not timed"
    run_bench emulator --device emulator
  fi
fi
for variant in "${variants[@]}"; do
  say "benchmark and gates: $variant"
  run_bench "$variant" --variant "$variant" --peers torch
done

if [ ${#files[@]} -gt 0 ]; then
  say "gates"
  "$flashcore" gate "${files[@]}" || status=1
  say "results: ${files[*]} (${flashcore#"$root/"} report FILE… --out DIR makes pictures of them)"
fi
exit "$status"
