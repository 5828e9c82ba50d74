#!/usr/bin/env bash
# Builds the C sources for the boards' processors and compares them, under qemu, with what the
# reference makes of some cases: the 32-bit Arm of a Zynq-7000 (strictly a Cortex-A9) and a 64-bit
# one.  Needs gcc-arm-linux-gnueabihf, gcc-aarch64-linux-gnu and qemu-user-static (Debian's names).
#
#   tests/arm/run.sh [PYTHON]     PYTHON is one that has pynq_circnn installed (default: python3)
#
# Executed instructions are counted where qemu's counting plugin is found (CIRCNN_QEMU_PLUGIN, or
# libinsn.so where distributions put it); otherwise it says that it left them out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
native=$here/../../pynq_circnn/native
python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing=""
for tool in arm-linux-gnueabihf-gcc aarch64-linux-gnu-gcc qemu-arm-static qemu-aarch64-static; do
    command -v "$tool" > /dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    echo "tests/arm: left out, not installed:$missing"
    exit 0
fi

"$python" "$here/../../pynq_circnn/contract" headers "$work"
"$python" "$here/../native/cases.py" "$work/cases" 60 > /dev/null

plugin=${CIRCNN_QEMU_PLUGIN:-$(find /usr/lib /usr/libexec -name libinsn.so -path '*qemu*' 2> /dev/null | head -1)}

# check NAME COMPILER "FLAGS" QEMU
check() {
    local name=$1 compiler=$2 flags=$3 qemu=$4
    # shellcheck disable=SC2086  # the flags are several words
    "$compiler" -std=c11 -O3 -fno-trapping-math -Wall -Wextra -static $flags \
        -I "$native" -I "$work" -o "$work/$name" "$here/../native/check.c" "$native"/*.c
    for kernels in neon portable; do
        echo "$name, $kernels:"
        CIRCNN_KERNELS=$kernels "$qemu" "$work/$name" "$work"/cases/*.bin
        if [ -n "$plugin" ]; then
            CIRCNN_KERNELS=$kernels "$qemu" -d plugin -plugin "$plugin" "$work/$name" \
                "$work"/cases/case_00*.bin 2>&1 | grep -i insns | tail -1
        fi
    done
}

QEMU_CPU=cortex-a9 check armv7 arm-linux-gnueabihf-gcc \
    "-mcpu=cortex-a9 -mfpu=neon -mfloat-abi=hard" qemu-arm-static
check aarch64 aarch64-linux-gnu-gcc "" qemu-aarch64-static
[ -n "$plugin" ] || echo "executed instructions: left out, no counting plugin of qemu here"
