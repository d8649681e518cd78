#!/bin/sh
# lint.sh: gofmt, go vet, staticcheck (pinned in tools.mod), the shell scripts,
# and the BPF object against its source. Prints nothing but what is wrong.
set -eu
cd "$(dirname "$0")/.."
failed=0

unformatted=$(gofmt -l cmd docs pkg scripts)
if [ -n "$unformatted" ]; then
	printf 'lint: run gofmt -w on:\n%s\n' "$unformatted" >&2
	failed=1
fi

go vet ./... || failed=1
go tool -modfile=scripts/tools.mod staticcheck ./... || failed=1

for script in scripts/*.sh scripts/*/*.sh .ci/run; do
	[ -e "$script" ] || continue
	case $(head -n 1 "$script") in
	*bash*) bash -n "$script" || failed=1 ;;
	*) sh -n "$script" || failed=1 ;;
	esac
done

# Only the pinned compiler makes the same bytes; without it the committed object
# is taken as it is.
if command -v clang-14 >/dev/null && command -v llvm-strip-14 >/dev/null; then
	scripts/check-bpf.sh >/dev/null || failed=1
else
	echo "lint: SKIPPED the BPF object's check: apt-get install clang-14 llvm-14 libbpf-dev" >&2
	case ,${WHYSTUCK_REQUIRE-}, in *,clang,*) failed=1 ;; esac
fi
exit $failed
