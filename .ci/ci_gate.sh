#!/usr/bin/env bash
# Holds result files to the gates: exit status 1 when one fails (see flashcore gate --help).
exec "$(dirname "$0")/../build/bin/flashcore" gate "$@"
