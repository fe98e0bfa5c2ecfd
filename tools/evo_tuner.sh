#!/usr/bin/env bash
# Searches a family's Configs for the best one and keeps the winner as a record that the library uses.
#   bash tools/evo_tuner.sh [--no-setup] FAMILY [OPTION…]
#   --no-setup  install and build nothing: use what build/ holds
#   FAMILY      as `flashcore info` lists them
#   OPTION      of `flashcore tune`, such as --shape b=1,h=8,s=512,d=64
#   bash tools/evo_tuner.sh [--no-setup] --shipped [OPTION…]
#               every shape whose records are shipped (head_dim × mask × length class), into tuned/,
#               for forward_mma and forward_tma_wgmma, or the family that --family names
# The journal is results/tune.journal; the same command again takes up what was not finished.
# Exit status 0 a winner was recorded, 1 nothing passed its gates, 2 bad usage, 3 no GPU.
. "$(dirname "$0")/common.sh"

no_setup=0
if [ "${1:-}" = --no-setup ]; then no_setup=1; shift; fi
case ${1:-} in
  -h|--help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --shipped) ;;
  ''|-*) fail "the first argument is a family's name (see --help)" 2 ;;
esac

prepare
cd "$root"
mkdir -p results

tune() { "$flashcore" tune --journal results/tune.journal --resume "$@"; }

if [ "$1" != --shipped ]; then
  tune --family "$@"
  exit
fi

# 16k tokens of a model of width 2048, short, middling and long; and the mission shape.
shapes=(b=1,h=8,s=512,d=64)
for head_dim in 64 128 256; do
  for length in 512 4096 16384; do
    shapes+=("b=$((16384 / length)),h=$((2048 / head_dim)),s=$length,d=$head_dim")
  done
done
shift
families=(forward_mma forward_tma_wgmma)
if [ "${1:-}" = --family ]; then
  [ $# -ge 2 ] || fail "--family: which?" 2
  families=("$2")
  shift 2
fi
status=0
for family in "${families[@]}"; do
  for shape in "${shapes[@]}"; do
    for mask in none causal_top_left; do
      say "$family $shape $mask"
      tune --family "$family" --shape "$shape" --mask "$mask" --records tuned "$@" || status=$?
      [ "$status" -lt 2 ] || exit "$status"
    done
  done
done
exit "$status"
