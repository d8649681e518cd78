package cases

import "strings"

// What stands behind an init.
var behind = []struct {
	name     string
	command  []string
	handlers int
	finish   string
	unknown  bool // its own handler decides
}{
	{"app", cmd(siglab, "exit"), 1, "HEARD", true},
	{"ign", cmd(siglab, "ign"), 0, "", false},
	{"default", cmd(siglab, "default"), 0, "", false},
	{"sh", cmd("sh", "-c", "sleep 1000; true"), 0, "", false},
	{"sh-app", cmd("sh", "-c", slowApp+"; true"), 1, "DONE", false},
}

func inits() []Case {
	var all []Case
	forwarders := []struct {
		name    string
		command []string
		options []string
	}{
		{"tini", cmd("tini", "--"), nil},
		{"tini-g", cmd("tini", "-g", "--"), nil},
		{"dumb-init", cmd("dumb-init", "--"), nil},
		{"dumb-init-c", cmd("dumb-init", "-c", "--"), nil},
		{"docker-init", nil, cmd("--init")},
		{"catatonit", cmd("catatonit", "--"), nil},
	}
	for _, f := range forwarders {
		for _, b := range behind {
			c := run(f.name+"-"+b.name, append(append([]string{}, f.command...), b.command...)...).with(f.options...)
			c.Handlers, c.Finish, c.Unknowable = b.handlers, b.finish, b.unknown
			all = append(all, c)
		}
	}
	all = append(all, moreInits()...)
	return append(all, supervisors()...)
}

func moreInits() []Case {
	return []Case{
		run("tini-noop", "tini", "--", siglab, "noop").unknowable(),
		run("dumb-init-noop", "dumb-init", "--", siglab, "noop").unknowable(),
		run("tini-p", "tini", "-p", "SIGKILL", "--", siglab, "ign"),
		run("tini-s-alone", "tini", "-s", "--", "sleep", "1000"),
		run("tini-usr1", "tini", "--", siglab, "default").signal("SIGUSR1"),
		run("tini-blocked", "tini", "--", siglab, "blocked"),
		run("tini-tini", "tini", "--", "tini", "-s", "--", siglab, "default"),
		run("tini-node", "tini", "--", "node20", "-e", "setInterval(()=>{},1000)").needs("/usr/local/bin/node20"),
		run("tini-go", "tini", "--", gosig, "none"),
		run("tini-python", "tini", "--", "python3", "-c", "import time; time.sleep(1000)"),
		run("tini-fork", "tini", "--", siglab, "fork_wait").finishes(1, "HEARD"),
		run("tini-g-fork", "tini", "-g", "--", siglab, "fork_wait").unknowable(),
		run("dumb-init-rewrite", "dumb-init", "--rewrite", "15:3", "--", siglab, "default"),
		run("dumb-init-rewrite-0", "dumb-init", "--rewrite", "15:0", "--", siglab, "exit"),
		run("tini-nobody-gosu", "tini", "--", "gosu", "nobody", siglab, "default"),
		run("tini-nokill", "tini", "--", "setpriv", "--reuid=65534", "--clear-groups", siglab, "default").with("--cap-drop", "KILL"),
		run("dumb-init-nokill", "dumb-init", "--", "setpriv", "--reuid=65534", "--clear-groups", siglab, "default").with("--cap-drop", "KILL"),
		run("docker-init-two", "tini", "--", siglab, "default").with("--init"),
		run("tini-chld", "tini", "--", siglab, "default").signal("SIGCHLD"),
		run("tini-winch", "tini", "--", siglab, "default").signal("SIGWINCH"),
		run("tini-rtmin3", "tini", "--", siglab, "default").signal("SIGRTMIN+3"),
		run("dumb-init-rtmin3", "dumb-init", "--", siglab, "default").signal("SIGRTMIN+3"),
		run("catatonit-rtmin3", "catatonit", "--", siglab, "default").signal("SIGRTMIN+3"),
		run("tini-daemon-left", "tini", "--", "sh", "-c", app+" & exec sleep 1000").cut("siglab, started with &, has a handler and is not waited for"),
	}
}

// service is a run script of a supervised service.
func service(command string) string { return "#!/bin/sh\nexec " + command + "\n" }

func supervisord(name, command string) Case {
	return run("supervisord-"+name, "supervisord", "-n", "-c", Dir("supervisord-"+name)+"/supervisord.conf").
		file("supervisord.conf", strings.Join([]string{
			"[supervisord]", "nodaemon=true", "user=root", "logfile=/dev/null", "logfile_maxbytes=0", "pidfile=/tmp/supervisord.pid",
			"[program:app]", "command=" + command, "stdout_logfile=/dev/stdout", "stdout_logfile_maxbytes=0", "",
		}, "\n"))
}

// tree is a directory of services copied to a writable place, as runit and s6
// keep their state beside the run script.
func tree(name, supervisor, command string) Case {
	return run(name, "sh", "-c", "mkdir -p /tmp/sv/app && cp "+Dir(name)+"/run /tmp/sv/app/run && exec "+supervisor+" /tmp/sv").
		file("run", service(command))
}

func supervisors() []Case {
	return []Case{
		supervisord("app", siglab+" exit").unknowable().finishes(1, "HEARD").patient(),
		supervisord("ign", siglab+" ign"),
		supervisord("default", siglab+" default").patient(),
		supervisord("sh", "sh -c \"sleep 1000; true\"").patient(),
		supervisord("slow", siglab+" -n 1 slow").unknowable().finishes(1, "DONE").patient(),
		tree("s6-svscan-app", "s6-svscan", siglab+" exit").unknowable().finishes(1, "HEARD"),
		tree("s6-svscan-ign", "s6-svscan", siglab+" ign"),
		tree("s6-svscan-default", "s6-svscan", siglab+" default"),
		tree("runsvdir-app", "runsvdir -P", slowApp).finishes(1, "DONE"),
		tree("runsvdir-ign", "runsvdir -P", siglab+" ign"),
		tree("runsvdir-hup", "runsvdir -P", siglab+" default").signal("SIGHUP"),
		tree("runsvdir-hup-ign", "runsvdir -P", siglab+" ign").signal("SIGHUP"),
		tree("runsv-alone", "runsv /tmp/sv/app; true", siglab+" default"),
		tree("svscan-daemontools", "svscan", siglab+" default"),
		run("busybox-init", "busybox", "init").patient(),
		run("monit", "sh", "-c", "echo 'set daemon 30' >/tmp/monitrc; chmod 700 /tmp/monitrc; exec monit -I -c /tmp/monitrc").patient(),
		run("systemd", "/lib/systemd/systemd", "--unit=sysinit.target").with(systemdOptions...).hostCgroups().needs("/lib/systemd/systemd"),
		run("systemd-rtmin3", "/lib/systemd/systemd", "--unit=sysinit.target").with(systemdOptions...).hostCgroups().signal("SIGRTMIN+3").needs("/lib/systemd/systemd").patient(),
	}
}

var systemdOptions = cmd("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
	"--tmpfs", "/run", "--tmpfs", "/run/lock", "-e", "container=docker")
