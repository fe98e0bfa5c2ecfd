#!/usr/bin/env bash
# Holds a variant to the profiler's gates: tensor-pipe activity, warp execution efficiency, local
# memory, by Nsight Compute at B=4 H=16 S=4096 D=128 fp16. The clocks are left alone.
#   bash tools/nsight_gate.sh [--no-setup] VARIANT [OPTION…]
#   --no-setup  install and build nothing: use what build/ holds
#   VARIANT     as `flashcore info` lists them, or hopper for the kernel of that architecture
#   OPTION      of `flashcore profile`, such as --shape
# Result: results/ncu_<variant>.json, or where --json says. Exit status 0 no gate failed, 1 one did,
# 3 not measured.
. "$(dirname "$0")/common.sh"

no_setup=0
if [ "${1:-}" = --no-setup ]; then no_setup=1; shift; fi
case ${1:-} in
  -h|--help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
  ''|-*) fail "the first argument is a variant's name (see --help)" 2 ;;
  hopper) shift; set -- phase_3a "$@" ;;
esac

case " $* " in
  *' --json'*) ;;
  *) mkdir -p "$root/results"; set -- "$@" --json "$root/results/ncu_$1.json" ;;
esac
prepare
exec "$flashcore" profile "$@"
