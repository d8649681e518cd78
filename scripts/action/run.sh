#!/usr/bin/env bash
# Runs whystuck image for the action: annotations, the job's summary, reports.
set -uo pipefail

lines() { # the non-empty lines of a text, into the array args
	local line
	while IFS= read -r line; do
		[ -n "$line" ] && args+=("$line")
	done <<<"$1"
}

reports=${REPORTS:-whystuck-reports}
mkdir -p "$reports" || exit 2
# Nothing that lies there already, as part of the repository, is taken for ours; and
# a link there would be followed, by root.
rm -f "$reports"/whystuck.{xml,sarif,json,md,github} || exit 2
args=(image --report "junit=$reports/whystuck.xml" --report "sarif=$reports/whystuck.sarif" --report "json=$reports/whystuck.json"
	--report "markdown=$reports/whystuck.md" --report "github=$reports/whystuck.github")
[ "${STATIC:-false}" = true ] && args+=(--static)
[ -n "${DOCKERFILE:-}" ] && args+=(--dockerfile "$DOCKERFILE")
lines "${IMAGES:-}" # first: the arguments may end in -- COMMAND
lines "${ARGS:-}"

# Root sees more (the kernel stacks, the memory of other users' processes). Hosted
# runners have sudo without a password; others may not.
run=(whystuck)
if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then
	export DOCKER_CONFIG="${DOCKER_CONFIG:-$HOME/.docker}" # root has another home, and no docker login
	run=(sudo -n --preserve-env=DOCKER_HOST,DOCKER_CONTEXT,DOCKER_CONFIG,DOCKER_TLS_VERIFY,DOCKER_CERT_PATH "$(command -v whystuck)")
fi

# The text has names and log lines of containers in it; the runner shall not take
# one of them for a command.
token=$(cat /proc/sys/kernel/random/uuid)
echo "::stop-commands::$token"
"${run[@]}" "${args[@]}"
code=$?
echo
echo "::$token::"

[ -f "$reports/whystuck.github" ] && cat "$reports/whystuck.github"
[ -f "$reports/whystuck.md" ] && [ -n "${GITHUB_STEP_SUMMARY:-}" ] && cat "$reports/whystuck.md" >>"$GITHUB_STEP_SUMMARY"
[ -n "${GITHUB_OUTPUT:-}" ] && echo "exit-code=$code" >>"$GITHUB_OUTPUT"
exit "$code"
