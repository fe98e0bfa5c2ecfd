#!/usr/bin/env bash
# Installs what building FlashCore needs and is missing: Debian packages, and, where there is no
# CUDA toolkit, NVIDIA's run-time compiler as Python wheels under build/. Touches no network when
# nothing is missing. FLASHCORE_CUDA=wheels takes the wheels even beside a toolkit.
. "$(dirname "$0")/common.sh"

packages=(g++ cmake ninja-build git libfmt-dev nlohmann-json3-dev libcli11-dev libhwy-dev
          libxxhash-dev libboost-context-dev libsqlite3-dev libgtest-dev libbenchmark-dev gnuplot-nox)
wheels=(nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
        nvidia-cuda-crt==13.0.88)
venv=$build/cuda-venv

installed() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

# Installs the Debian packages named that are missing.
need_packages() {
  local missing=() package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "these packages are missing and there is no apt-get to install them with: ${missing[*]}" 3
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "run as root, or install: apt-get install ${missing[*]}" 3
    sudo=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The folder of a CUDA toolkit that has NVRTC, or nothing.
cuda_toolkit() {
  local nvcc home
  nvcc=$(command -v nvcc || true)
  for home in "${CUDA_HOME:-}" "${nvcc:+$(dirname "$(dirname "$nvcc")")}" /usr/local/cuda; do
    [ -n "$home" ] && compgen -G "$home/lib64/libnvrtc.so*" >/dev/null && { echo "$home"; return; }
  done
  return 0
}

need_wheels() {
  local stamp=$venv/.flashcore-wheels
  [ "$(cat "$stamp" 2>/dev/null)" = "${wheels[*]}" ] && return
  python3 -c 'import venv, ensurepip' 2>/dev/null || need_packages python3 python3-venv
  say "installing Python wheels into ${venv#"$root"/}: ${wheels[*]}"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${wheels[@]}"
  echo "${wheels[*]}" >"$stamp"
}

need_packages "${packages[@]}"
mkdir -p "$build"
toolkit=$(cuda_toolkit)
if [ "${FLASHCORE_CUDA:-}" = wheels ]; then
  need_wheels
elif [ -z "$toolkit" ]; then
  say "no CUDA toolkit in CUDA_HOME, PATH or /usr/local/cuda; the kernels' compiler comes as wheels"
  need_wheels
fi
