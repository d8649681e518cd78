#!/bin/sh
# need.sh go|gcc: ends with a sentence that names what to install, where it is
# missing on this machine.
set -eu
case $1 in
go)
	have=$(go env GOVERSION 2>/dev/null) || have=none
	minor=${have#go1.}
	minor=${minor%%[!0-9]*}
	case $have in
	go1.*) [ "${minor:-0}" -ge 26 ] && exit 0 ;;
	esac
	echo "Go 1.26 or later is needed to build whystuck (found: $have). Unpack https://go.dev/dl/ to /usr/local/go;" \
		"any Go from 1.21 on (apt-get install golang-go on Debian 13, Ubuntu 24.04) fetches it by itself." >&2
	;;
gcc)
	if command -v gcc >/dev/null && [ -n "$(find /usr/lib* -name libc.a 2>/dev/null | head -n 1)" ]; then
		exit 0
	fi
	echo "A C compiler is needed for the test programs: apt-get install gcc libc6-dev" >&2
	;;
esac
exit 1
