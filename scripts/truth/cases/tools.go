package cases

// tools are plain commands that people use as a container's program.
func tools() []Case {
	return []Case{
		run("sleep", "sleep", "1000"),
		run("sleep-infinity", "sleep", "infinity"),
		run("sleep-init", "sleep", "1000").with("--init"),
		run("tail-f", "tail", "-f", "/dev/null"),
		run("tail-F", "tail", "-F", "/etc/passwd"),
		run("cat-stdin", "cat").with("-i"),
		run("cat-tty", "cat").with("-it"),
		run("yes", "bash", "-c", "exec yes >/dev/null").busy(),
		run("dd", "dd", "if=/dev/zero", "of=/dev/null").busy(),
		run("ping", "ping", "127.0.0.1"),
		run("ping-int", "ping", "127.0.0.1").signal("SIGINT"),
		run("less", "less", "/etc/services").with("-it", "-e", "TERM=xterm"),
		run("top", "top").with("-it", "-e", "TERM=xterm"),
		run("top-b", "top", "-b", "-d", "1000"),
		run("ncat", "ncat", "-lk", "7000"),
		run("nc", "nc", "-lk", "7000"),
		run("socat", "socat", "TCP-LISTEN:7000,fork", "EXEC:cat"),
		run("inotifywait", "inotifywait", "-m", "/tmp"),
		run("busybox-sleep", "busybox", "sleep", "1000"),
		run("busybox-tail", "busybox", "tail", "-f", "/dev/null"),
		run("busybox-top", "busybox", "top", "-b", "-d", "1000"),
		run("tee", "tee", "/tmp/x").with("-i"),
		run("vmstat", "vmstat", "1000"),
		run("rust-tail", "/usr/lib/cargo/bin/coreutils/tail", "-f", "/etc/passwd"),
		run("ssh-agent", "ssh-agent", "-D", "-a", "/tmp/agent"),
		run("openssl-s_server", "sh", "-c", "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k -out /tmp/c -subj /CN=x -days 9 2>/dev/null; exec openssl s_server -key /tmp/k -cert /tmp/c -accept 8443"),
	}
}
