#!/usr/bin/env bash
# Installs a finished build into an empty prefix and builds and runs the consumer project against it.
# usage: run.sh BUILD_DIR COMPILER
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$1
compiler=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/starling-consumer-XXXXXX")
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" --component client >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
{
  cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$compiler" \
    -DEXAMPLES="$here/../../client/examples" "${launcher[@]}" &&
    cmake --build "$work/build" -j 2
} >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/build/consumer"
if grep -rE '#include [<"](asio|capnp|kj|crdt|wire)' "$work/prefix/include" | grep -v async_client.h; then
  echo "an installed header of the blocking face includes more than the standard library" >&2
  exit 1
fi
echo "installed: $(cd "$work/prefix" && find . -name '*.h' | wc -l) headers, found by find_package, built and run"
