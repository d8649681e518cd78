package cases

import "strings"

// Scripts as they stand in images, each run by three shells.
var entrypoints = []struct {
	name, body string
	args       []string
	unknowable string // shells for which nobody can tell, by name
	handlers   int    // programs that log HEARD
}{
	{name: "last", body: "echo starting\n" + app},
	{name: "noexec", body: "echo starting\n" + app + "\necho ended"},
	{name: "exec", body: "set -e\nexec " + app, unknowable: "dash bash ash", handlers: 1},
	{name: "exec-args", body: `set -e
if [ "${1#-}" != "$1" ]; then set -- siglab "$@"; fi
exec "$@"`, args: cmd(siglab, "exit"), unknowable: "dash bash ash", handlers: 1},
	{name: "args", body: `set -e
"$@"`, args: cmd(siglab, "exit")},
	{name: "trap-loop", body: "trap 'exit 0' TERM\nwhile true; do sleep 0.4; done", unknowable: "dash ash"},
	{name: "trap-wait-pid", body: "trap 'kill -TERM $pid' TERM\n" + slowApp + ` &
pid=$!
wait $pid
trap - TERM
wait $pid`, unknowable: "dash bash ash", handlers: 1},
	{name: "trap-noexit", body: "trap 'echo got it' TERM\nwhile true; do sleep 1000 & wait $!; done", unknowable: "dash ash"},
	{name: "function", body: "run() { " + app + "; }\nrun\n"},
	{name: "two-children", body: app + " &\n" + app + " &\nwait"},
	{name: "tail", body: app + " &\ntail -f /dev/null"},
	{name: "exec-tail", body: app + " &\nexec tail -f /dev/null"},
	{name: "reload", body: "trap 'kill -TERM $pid; wait $pid; exit 0' TERM\ntrap 'kill -HUP $pid' USR1\n" + siglab + ` reload &
pid=$!
while :; do wait $pid; done`, unknowable: "dash bash ash", handlers: 1},
	{name: "su", body: "su -s /bin/sh -c 'exec " + app + "' nobody\n"},
	{name: "until", body: "until [ -e /tmp/never ]; do sleep 1; done\nexec " + app},
	{name: "trap-ignore-exec", body: "trap '' TERM\nexec sleep 1000"},
}

var scriptShells = map[string]string{"dash": "#!/bin/dash", "bash": "#!/bin/bash", "ash": "#!/bin/busybox sh"}

func scripts() []Case {
	var all []Case
	for _, e := range entrypoints {
		for _, shell := range []string{"dash", "bash", "ash"} {
			c := script("script-"+e.name+"-"+shell, scriptShells[shell]+"\n"+e.body+"\n", e.args...)
			c.Unknowable = strings.Contains(e.unknowable, shell)
			c.Busy = strings.Contains(e.body, "while true") || strings.Contains(e.body, "until")
			if e.handlers > 0 {
				finish := "HEARD"
				if strings.Contains(e.body, slowApp) {
					finish = "DONE"
				}
				c = c.finishes(e.handlers, finish)
			}
			all = append(all, c)
		}
	}
	bash := func(name, body string) Case { return script("script-bash-"+name, "#!/bin/bash\n"+body+"\n") }
	sh := func(name, body string) Case { return script("script-sh-"+name, "#!/bin/sh\n"+body+"\n") }
	return append(all,
		bash("trap-exit", "trap 'echo bye' EXIT\nsleep 1000\necho after"),
		bash("killgroup", "trap 'trap - TERM; kill 0' TERM\nsleep 1000 &\nsleep 1000 &\nwait").unknowable(),
		bash("while-read", "trap 'exit 0' TERM\ntail -f /dev/null | while read -r l; do echo $l; done"),
		bash("read-fifo", "trap 'exit 0' TERM\nmkfifo /tmp/f\nexec 3<>/tmp/f\nread -r x <&3"),
		bash("wait-n", app+" &\n"+app+" &\nwait -n\nexit $?"),
		bash("jobs", "set -m\n"+app+" &\n"+app+" &\nfg %1"),
		bash("pipefail", "set -euo pipefail\n"+app+" 2>&1 | tee /tmp/log"),
		bash("tee-exec", "exec > >(tee /tmp/log)\nexec "+app).unknowable(),
		bash("node-fg", "trap 'exit 0' TERM\nnode20 -e 'setInterval(()=>{},1000)'\necho").needs("/usr/local/bin/node20"),
		bash("trap-int-only", "trap 'exit 0' INT\nsleep 1000 &\nwait"),
		bash("nested", "bash -c '"+app+"; true'\necho"),
		sh("busy-trap", "trap 'exit 0' TERM\nwhile :; do :; done").unknowable().busy(),
		sh("cron-tail", "cron\ntail -f /dev/null"),
		sh("gosu", `if [ "$(id -u)" = 0 ]; then exec gosu nobody "$0" "$@"; fi
exec `+app).unknowable().finishes(1, "HEARD"),
		sh("setpriv", "exec setpriv --reuid=65534 --clear-groups "+app).unknowable().finishes(1, "HEARD"),
		sh("wait-for-it", "exec wait-for-it -t 1 localhost:1 -- "+app).unknowable().finishes(1, "HEARD"),
		sh("sleep-infinity", "echo up\nsleep infinity"),
		sh("tini-inside", "tini -s -- "+app+"\necho ended"),
	)
}

// Guide is a script of the documentation as a case; the program that it is to
// run is its arguments, and every one that it starts must finish. expect is the
// verdict that the documentation promises.
func Guide(name, shell, body, expect string) Case {
	c := script("guide-"+name+"-"+shell, body, siglab, "-n", "1", "slow")
	c.Group, c.Expect = "guide", expect
	c.Unknowable = expect != "killed" // the reader's own program and traps decide
	return c.finishes(strings.Count(body, "\"$@\""), "DONE")
}
