#!/bin/sh
# Compiles pkg/kernel/bpf/task.bpf.c and compares the result, byte for byte, with
# the committed object. With --write it replaces the object instead.
#
# The compiler is pinned: another version makes other (as good) instructions.
# Needs clang-14, llvm-14 (llvm-strip-14) and libbpf-dev.
set -eu
cd "$(dirname "$0")/../pkg/kernel/bpf"

for tool in clang-14 llvm-strip-14; do
	command -v "$tool" >/dev/null || {
		echo "check-bpf: $tool is missing: apt-get install clang-14 llvm-14 libbpf-dev" >&2
		exit 1
	}
done

new=$(mktemp)
trap 'rm -f "$new"' EXIT
# -mcpu=v2 is what Linux 5.8 takes without question. -g makes the BTF that CO-RE
# needs; the strip leaves it and drops the DWARF, which alone holds paths.
clang-14 -target bpf -mcpu=v2 -O2 -g -Wall -Wextra -Werror -fno-addrsig \
	-fdebug-compilation-dir=. -ffile-prefix-map="$PWD"=. -c task.bpf.c -o "$new"
llvm-strip-14 -g "$new"

if [ "${1-}" = --write ]; then
	cp "$new" task_bpfel.o
	echo "check-bpf: wrote pkg/kernel/bpf/task_bpfel.o"
elif cmp "$new" task_bpfel.o; then
	echo "check-bpf: pkg/kernel/bpf/task_bpfel.o is what task.bpf.c compiles to"
else
	echo "check-bpf: task_bpfel.o is not what task.bpf.c compiles to; run scripts/check-bpf.sh --write" >&2
	exit 1
fi
