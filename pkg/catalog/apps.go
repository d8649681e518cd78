package catalog

import "github.com/whystuck/whystuck/pkg/evidence"

const (
	hup  = evidence.SIGHUP
	sint = evidence.SIGINT
	quit = evidence.SIGQUIT
	usr1 = evidence.SIGUSR1
	usr2 = evidence.SIGUSR2
	term = evidence.SIGTERM
	win  = evidence.SIGWINCH
	chld = evidence.SIGCHLD
)

// ends is a signal that ends an idle program at once with this status.
func ends(code int, after float64, means string) Response {
	return Response{Ends: EndsYes, Code: code, After: after, Means: means}
}

// drains is a graceful end that first waits for d.
func drains(code int, after float64, d Drain, means, instead string) Response {
	return Response{Ends: EndsYes, Code: code, After: after, Drain: d, Means: means, Instead: instead}
}

// goesOn is a signal that does something else.
func goesOn(means, instead string) Response {
	return Response{Ends: EndsNo, Means: means, Instead: instead}
}

// apps are programs with their own documented stop signals.
var apps = []Program{
	{ID: "nginx", Kind: KindApp, Stop: quit, StopFor: "SIGTERM cuts requests in hand off", Names: []string{"nginx", "openresty", "angie"}, Titles: []string{"nginx: "}, NeverWaits: true,
		Responses: map[int]Response{
			term: ends(0, 0, "fast shutdown"), sint: ends(0, 0, "fast shutdown"),
			quit: drains(0, 0, DrainTCP, "graceful shutdown: waits for open requests", "SIGTERM"),
			hup:  goesOn("reloads its configuration", "SIGTERM"), usr1: goesOn("reopens its logs", "SIGTERM"),
			usr2: goesOn("starts a new binary", "SIGTERM"), win: goesOn("stops its workers and stays", "SIGTERM"),
		}, Source: "nginx.org control.html", Case: "nginx"},
	{ID: "apache", Kind: KindApp, Stop: win, StopFor: "SIGTERM cuts requests in hand off", Names: []string{"apache2", "httpd"}, NeverWaits: true,
		Responses: map[int]Response{
			term: ends(0, 0.1, "stops at once"),
			win:  drains(0, 0.1, DrainTCP, "graceful stop: waits for open requests", "SIGTERM"),
			usr1: goesOn("restarts gracefully", "SIGTERM"), hup: goesOn("restarts", "SIGTERM"),
		}, Source: "httpd.apache.org stopping.html", Case: "apache2"},
	{ID: "postgres", Kind: KindApp, Stop: sint, StopFor: "SIGTERM waits until every client has left", Names: []string{"postgres", "postmaster"}, Titles: []string{"postgres: "}, NeverWaits: true,
		Responses: map[int]Response{
			term: drains(0, 0.1, DrainClients, "smart shutdown: waits until every client has left", "SIGINT"),
			sint: ends(0, 0.1, "fast shutdown"), quit: {Ends: EndsYes, Code: -1, After: 0.1, Means: "immediate shutdown, recovery at the next start"},
			hup: goesOn("reloads its configuration", "SIGINT"),
		}, Source: "postgresql.org server-shutdown.html", Case: "postgres"},
	{ID: "mariadbd", Kind: KindApp, Names: []string{"mariadbd", "mysqld"}, Fetches: true,
		Responses: map[int]Response{
			term: ends(0, 0.3, "clean shutdown"), hup: goesOn("flushes logs and tables", "SIGTERM"),
		}, Source: "mariadb.com shutdown; mysql unix-signal-response", Case: "mariadbd"},
	{ID: "redis", Kind: KindApp, Names: []string{"redis-server", "valkey-server", "redis-check-rdb", "keydb-server"}, NeverWaits: true,
		Responses: map[int]Response{
			term: drains(0, 0.1, DrainSave, "saves if configured to, then exits", ""),
			sint: drains(0, 0.1, DrainSave, "saves if configured to, then exits", ""),
		}, Source: "redis.io signals", Case: "redis"},
	{ID: "memcached", Kind: KindApp, Names: []string{"memcached"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 0.8, "exits"), sint: ends(0, 0.8, "exits"), usr1: drains(0, 0.8, DrainTCP, "graceful stop", "SIGTERM")},
		Source:    "memcached.c sig_handler", Case: "memcached"},
	{ID: "haproxy", Kind: KindApp, Stop: usr1, StopFor: "SIGTERM cuts connections off", Names: []string{"haproxy"},
		Responses: map[int]Response{
			term: {Ends: EndsYes, Code: -1, After: 0.1, Means: "stops at once"}, sint: {Ends: EndsYes, Code: -1, After: 0.1, Means: "stops at once"},
			usr1: drains(-1, 0.1, DrainTCP, "soft stop: waits for connections", "SIGTERM"),
			usr2: goesOn("reloads (master)", "SIGTERM"), hup: goesOn("logs its state", "SIGTERM"),
		}, Source: "haproxy management.txt 4", Case: "haproxy"},
	{ID: "php-fpm", Kind: KindApp, Stop: quit, StopFor: "SIGTERM cuts requests in hand off", Names: []string{"php-fpm", "php-fpm7.4", "php-fpm8.0", "php-fpm8.1", "php-fpm8.2", "php-fpm8.3", "php-fpm8.4"}, Titles: []string{"php-fpm: "}, NeverWaits: true,
		Responses: map[int]Response{
			term: ends(0, 0.1, "stops at once"), sint: ends(0, 0.1, "stops at once"),
			quit: drains(0, 0.1, DrainWorkers, "graceful stop", "SIGTERM"),
			usr1: goesOn("reopens its logs", "SIGTERM"), usr2: goesOn("reloads", "SIGTERM"),
		}, Source: "php-fpm(8)", Case: "php-fpm"},
	{ID: "gunicorn", Kind: KindApp, Scripts: []string{"gunicorn"}, Titles: []string{"gunicorn: "}, Names: []string{"gunicorn"},
		Responses: map[int]Response{
			term: drains(0, 0.2, DrainWorkers, "graceful shutdown: waits for requests in hand (30 s by default)", "SIGQUIT"),
			// Measured with 0.3 to 1.8 s, and once, at a load of 100, not within 4 s.
			sint: {Ends: EndsYes, Code: -1, After: 1, Means: "quick shutdown"}, quit: {Ends: EndsYes, Code: -1, After: 1, Means: "quick shutdown"},
			hup: goesOn("reloads", "SIGTERM"), usr1: goesOn("reopens its logs", "SIGTERM"), usr2: goesOn("starts a new binary", "SIGTERM"),
			win: goesOn("stops its workers if daemonised", "SIGTERM"),
		}, Source: "docs.gunicorn.org signals", Case: "gunicorn"},
	{ID: "uwsgi", Kind: KindApp, Stop: sint, StopFor: "with --master SIGTERM is a reload", Names: []string{"uwsgi", "uwsgi-core"},
		Flags: []Flag{{Names: []string{"--master", "-M"}, Option: "master"}, {Names: []string{"--die-on-term"}, Option: "die-on-term"},
			{Names: []string{"--ini", "--xml", "--yaml", "--json", "--emperor"}, Option: "config", Value: true}},
		Source: "uwsgi-docs Management", Case: "uwsgi-master"},
	{ID: "celery", Kind: KindApp, Scripts: []string{"celery"}, Names: []string{"celery"}, Titles: []string{"[celeryd: "},
		Responses: map[int]Response{
			term: {Ends: EndsUnknown, Code: 0, After: 2, Drain: DrainWorkers, Means: "warm shutdown: waits for running tasks", Instead: "SIGQUIT"},
			quit: {Ends: EndsUnknown, Code: -1, Means: "cold shutdown"}, sint: {Ends: EndsUnknown, Code: -1, Means: "warm shutdown"},
		}, Source: "docs.celeryq.dev workers", Case: "celery-solo"},
	{ID: "squid", Kind: KindApp, Names: []string{"squid"}, NeverWaits: true,
		Responses: map[int]Response{
			term: {Ends: EndsYes, Code: 0, After: 31, AtLeast: 30, Means: "waits shutdown_lifetime (30 s by default) for clients", Instead: ""},
			hup:  goesOn("reloads", "SIGTERM"), usr1: goesOn("rotates its logs", "SIGTERM"),
		}, Source: "squid.conf shutdown_lifetime", Case: "squid"},
	{ID: "sshd", Kind: KindApp, Names: []string{"sshd"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 0, "exits"), quit: ends(0, 0, "exits"), hup: goesOn("re-executes itself", "SIGTERM")},
		Source:    "openssh sshd.c", Case: "sshd"},
	{ID: "rsyslogd", Kind: KindApp, Names: []string{"rsyslogd"},
		Responses: map[int]Response{term: {Ends: EndsYes, Code: 0, After: 0.5, Means: "flushes and exits"}, hup: goesOn("reopens its files", "SIGTERM")},
		Source:    "rsyslogd(8)", Case: "rsyslogd"},
	{ID: "dnsmasq", Kind: KindApp, Names: []string{"dnsmasq"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 0, "exits"), hup: goesOn("clears its cache", "SIGTERM"), usr1: goesOn("writes statistics", "SIGTERM")},
		Source:    "dnsmasq(8)", Case: "dnsmasq"},
	{ID: "mosquitto", Kind: KindApp, Names: []string{"mosquitto"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 0.1, "exits"), sint: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM"), usr1: goesOn("saves its database", "SIGTERM")},
		Source:    "mosquitto(8)", Case: "mosquitto"},
	{ID: "varnishd", Kind: KindApp, Names: []string{"varnishd"}, NeverWaits: true,
		Responses: map[int]Response{term: {Ends: EndsUnknown, Code: 0, Means: "exits"}, sint: {Ends: EndsUnknown, Code: 0, Means: "exits"}}, Source: "varnishd(1)", Case: ""},
	{ID: "named", Kind: KindApp, Names: []string{"named"},
		Responses: map[int]Response{term: ends(0, 0.3, "exits"), sint: ends(0, 0.3, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "named(8)", Case: "named"},
	{ID: "postfix", Kind: KindApp, Names: []string{"master"}, NeverWaits: true, Source: "postfix master(8)", Case: "postfix",
		Responses: map[int]Response{term: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM")}},
	{ID: "lighttpd", Kind: KindApp, Names: []string{"lighttpd"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 0.1, "stops at once"), sint: drains(0, 0.1, DrainTCP, "graceful shutdown", "SIGTERM"), hup: goesOn("reopens its logs", "SIGTERM")},
		Source:    "lighttpd(8)", Case: "lighttpd"},
	{ID: "dovecot", Kind: KindApp, Names: []string{"dovecot"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 1.2, "stops its processes and exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "dovecot(1)", Case: "dovecot"},
	{ID: "unbound", Kind: KindApp, Names: []string{"unbound"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 0, "exits"), sint: ends(0, 0, "exits"), quit: ends(0, 0, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "unbound(8)", Case: "unbound"},
	{ID: "chronyd", Kind: KindApp, Names: []string{"chronyd"}, NeverWaits: true,
		Responses: map[int]Response{term: ends(0, 0.1, "exits"), sint: ends(0, 0.1, "exits"), quit: ends(0, 0.1, "exits")}, Source: "chronyd(8)", Case: "chronyd"},
	{ID: "stunnel", Kind: KindApp, Names: []string{"stunnel", "stunnel4"},
		Responses: map[int]Response{term: ends(0, 0.1, "exits"), sint: ends(0, 0.1, "exits"), quit: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM"), usr1: goesOn("reopens its log", "SIGTERM")},
		Source:    "stunnel(8)", Case: "stunnel"},
	{ID: "pgbouncer", Kind: KindApp, Names: []string{"pgbouncer"}, NeverWaits: true,
		Responses: map[int]Response{
			term: {Ends: EndsYes, Code: -1, After: 0.1, Means: "stops at once (since 1.23 it waits for clients)"},
			sint: drains(0, 0.4, DrainTCP, "safe shutdown: waits for servers in use", "SIGQUIT"), hup: goesOn("reloads", "SIGTERM"),
			usr1: goesOn("pauses", "SIGTERM"), usr2: goesOn("resumes", "SIGTERM"),
		}, Source: "pgbouncer.org usage.html signals", Case: "pgbouncer"},
	{ID: "transmission", Kind: KindApp, Names: []string{"transmission-daemon"},
		Responses: map[int]Response{term: ends(0, 0.5, "closes and exits"), sint: ends(0, 0.5, "closes and exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "transmission-daemon(1)", Case: "transmission"},
	{ID: "puma", Kind: KindApp, Scripts: []string{"puma"}, Titles: []string{"puma "}, Names: []string{"puma"},
		Responses: map[int]Response{term: drains(1, 0.2, DrainTCP, "finishes requests and exits", "")}, Source: "puma docs/signals.md", Case: "puma"},
	{ID: "unicorn", Kind: KindApp, Stop: quit, StopFor: "SIGTERM cuts requests in hand off", Scripts: []string{"unicorn"}, Titles: []string{"unicorn "}, Names: []string{"unicorn"},
		Responses: map[int]Response{term: ends(0, 0.2, "quick shutdown"), sint: ends(0, 0.2, "quick shutdown"), quit: drains(0, 0.2, DrainTCP, "graceful shutdown", "SIGTERM"), hup: goesOn("reloads", "SIGTERM")},
		Source:    "unicorn SIGNALS", Case: "unicorn"},
	{ID: "thin", Kind: KindApp, Scripts: []string{"thin"}, Names: []string{"thin"},
		Responses: map[int]Response{term: {Ends: EndsYes, Code: -1, After: 0.8, Means: "stops"}}, Source: "thin", Case: "thin"},
	{ID: "uvicorn", Kind: KindApp, Scripts: []string{"uvicorn"}, Names: []string{"uvicorn"},
		Responses: map[int]Response{term: drains(-1, 0.3, DrainTCP, "finishes requests and exits", ""), sint: drains(-1, 0.3, DrainTCP, "finishes requests and exits", "")}, Source: "uvicorn server.py", Case: "uvicorn"},
	{ID: "mysqld_safe", Kind: KindApp, Scripts: []string{"mysqld_safe", "mariadbd-safe", "safe_mysqld"}, NeverWaits: true, Source: "mysqld_safe.sh: trap '' 1 2 3 15", Case: "mariadbd-safe"},
	{ID: "prometheus", Kind: KindApp, Names: []string{"prometheus"}, Responses: map[int]Response{term: ends(0, 0.2, "stops its parts and exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "prometheus cmd/prometheus", Case: "prometheus"},
	{ID: "etcd", Kind: KindApp, Names: []string{"etcd"}, Responses: map[int]Response{term: {Ends: EndsYes, Code: 0, After: 0.1, Means: "closes and exits"}}, Source: "etcd pkg/osutil", Case: "etcd"},
	{ID: "caddy", Kind: KindApp, Names: []string{"caddy"}, Responses: map[int]Response{term: {Ends: EndsYes, Code: 0, After: 0.2, Drain: DrainTCP, Means: "graceful shutdown"}}, Source: "caddy sigtrap_posix.go", Case: "caddy"},
	{ID: "redis-sentinel", Kind: KindApp, Names: []string{"redis-sentinel"}, Titles: []string{"redis-sentinel "}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits; it has nothing to save"), sint: ends(0, 0.1, "exits")}, Source: "redis.io sentinel", Case: "redis-sentinel"},
	{ID: "rq", Kind: KindApp, Scripts: []string{"rqworker"}, Names: []string{"rqworker"}, Responses: map[int]Response{term: drains(0, 1.3, DrainWorkers, "warm shutdown: waits for the job in hand", "")}, Source: "python-rq.org workers", Case: "rq"},
	{ID: "twistd", Kind: KindApp, Scripts: []string{"twistd", "twistd3"}, Names: []string{"twistd"}, Responses: map[int]Response{term: ends(0, 1, "stops its reactor"), sint: ends(0, 1, "stops its reactor")}, Source: "twisted internet/base.py", Case: "twistd"},
	{ID: "gearmand", Kind: KindApp, Names: []string{"gearmand"}, Responses: map[int]Response{term: ends(0, 0.1, "exits"), sint: ends(0, 0.1, "exits")}, Source: "gearmand(8)", Case: "gearmand"},
	{ID: "tmux", Kind: KindTool, Names: []string{"tmux"}, NeverWaits: true, Responses: map[int]Response{term: ends(1, 0.1, "leaves with status 1")}, Source: "tmux client.c", Case: "tmux"},
	{ID: "tinyproxy", Kind: KindApp, Names: []string{"tinyproxy"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.2, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "tinyproxy(8)", Case: "tinyproxy"},
	{ID: "privoxy", Kind: KindApp, Names: []string{"privoxy"}, NeverWaits: true, Responses: map[int]Response{term: ends(15, 0.1, "exits 15"), hup: goesOn("reopens its log", "SIGTERM")}, Source: "privoxy(8)", Case: "privoxy"},
	{ID: "hitch", Kind: KindApp, Names: []string{"hitch"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.3, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "hitch(8)", Case: "hitch"},
	{ID: "h2o", Kind: KindApp, Names: []string{"h2o"}, NeverWaits: true, Responses: map[int]Response{term: drains(0, 0.2, DrainTCP, "graceful shutdown", "")}, Source: "h2o.examp1e.net using_h2o", Case: "h2o"},
	{ID: "mini_httpd", Kind: KindApp, Names: []string{"mini_httpd"}, NeverWaits: true, Responses: map[int]Response{term: ends(1, 0.1, "exits 1"), hup: goesOn("reopens its log", "SIGTERM")}, Source: "mini_httpd(8)", Case: "mini-httpd"},
	{ID: "traffic_server", Kind: KindApp, Names: []string{"traffic_server"}, Responses: map[int]Response{term: ends(0, 1.2, "drains and exits")}, Source: "trafficserver", Case: "traffic-server"},
	{ID: "fcgiwrap", Kind: KindApp, Names: []string{"fcgiwrap"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits")}, Source: "fcgiwrap(8)", Case: "spawn-fcgi"},
	{ID: "php-cgi", Kind: KindApp, Names: []string{"php-cgi", "php-cgi8.2"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits")}, Source: "php-src sapi/cgi/cgi_main.c", Case: "php-cgi"},
	{ID: "nats", Kind: KindApp, Names: []string{"nats-server"}, Responses: map[int]Response{term: ends(1, 0.1, "exits 1"), sint: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM"), usr1: goesOn("reopens its log", "SIGTERM")}, Source: "docs.nats.io signals", Case: "nats"},
	{ID: "slapd", Kind: KindApp, Names: []string{"slapd"}, Responses: map[int]Response{term: ends(0, 0.2, "closes and exits"), sint: ends(0, 0.2, "closes and exits")}, Source: "slapd(8)", Case: "slapd"},
	{ID: "atd", Kind: KindApp, Names: []string{"atd"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits")}, Source: "atd(8)", Case: "atd"},
	{ID: "syslogd", Kind: KindApp, Names: []string{"syslogd"}, NeverWaits: true, Responses: map[int]Response{term: {Ends: EndsYes, Code: -1, Means: "exits"}}, Source: "busybox sysklogd/syslogd.c", Case: "busybox-syslogd"},
	{ID: "nsd", Kind: KindApp, Names: []string{"nsd"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.2, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "nsd(8)", Case: "nsd"},
	{ID: "knotd", Kind: KindApp, Names: []string{"knotd"}, Responses: map[int]Response{term: ends(0, 0.2, "exits"), sint: ends(0, 0.2, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "knotd(8)", Case: "knotd"},
	{ID: "pdns_recursor", Kind: KindApp, Names: []string{"pdns_recursor"}, Responses: map[int]Response{term: ends(1, 0.1, "exits 1")}, Source: "pdns_recursor(1)", Case: "pdns-recursor"},
	{ID: "tftpd", Kind: KindApp, Names: []string{"in.tftpd"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "tftpd(8)", Case: "tftpd"},
	{ID: "rsync", Kind: KindApp, Names: []string{"rsync"}, NeverWaits: true, Responses: map[int]Response{term: {Ends: EndsYes, Code: -1, After: 0.2, Means: "exits"}}, Source: "rsync(1)", Case: "rsync-daemon"},
	{ID: "snmpd", Kind: KindApp, Names: []string{"snmpd"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits"), sint: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "snmpd(8)", Case: "snmpd"},
	{ID: "dbus-daemon", Kind: KindApp, Names: []string{"dbus-daemon"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "dbus-daemon(1)", Case: "dbus-daemon"},
	{ID: "monit", Kind: KindApp, Names: []string{"monit"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.8, "exits"), hup: goesOn("reloads", "SIGTERM"), usr1: goesOn("wakes up", "SIGTERM")}, Source: "monit(1)", Case: "monit"},
	{ID: "blackbox-exporter", Kind: KindApp, Names: []string{"prometheus-blackbox-exporter", "blackbox_exporter"}, Responses: map[int]Response{term: ends(0, 0.2, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "prometheus/blackbox_exporter main.go", Case: "blackbox-exporter"},
	{ID: "pushgateway", Kind: KindApp, Names: []string{"prometheus-pushgateway", "pushgateway"}, Responses: map[int]Response{term: ends(0, 0.3, "exits")}, Source: "prometheus/pushgateway main.go", Case: "pushgateway"},
	{ID: "alertmanager", Kind: KindApp, Names: []string{"prometheus-alertmanager", "alertmanager"}, Responses: map[int]Response{term: ends(0, 0.1, "exits"), hup: goesOn("reloads", "SIGTERM")}, Source: "prometheus/alertmanager main.go", Case: "alertmanager"},
	{ID: "syncthing", Kind: KindApp, Names: []string{"syncthing"}, Responses: map[int]Response{term: ends(0, 0.6, "exits"), sint: ends(0, 0.6, "exits")}, Source: "syncthing docs", Case: "syncthing"},
	{ID: "ssh-agent", Kind: KindApp, Names: []string{"ssh-agent"}, NeverWaits: true, Responses: map[int]Response{term: ends(2, 0.1, "exits 2")}, Source: "openssh ssh-agent.c", Case: "ssh-agent"},
	{ID: "socat", Kind: KindTool, Names: []string{"socat"}, NeverWaits: true, Responses: map[int]Response{term: ends(143, 0.1, "exits 143")}, Source: "socat(1)", Case: "socat"},
	{ID: "ping", Kind: KindTool, Names: []string{"ping"}, NeverWaits: true, Responses: map[int]Response{sint: {Ends: EndsYes, Code: -1, After: 0.1, Means: "prints its statistics and exits"}}, Source: "iputils ping", Case: "ping-int"},
	{ID: "top", Kind: KindTool, Names: []string{"top"}, NeverWaits: true, Responses: map[int]Response{term: {Ends: EndsYes, Code: -1, After: 0.3, Means: "exits"}, sint: {Ends: EndsYes, Code: -1, After: 0.3, Means: "exits"}}, Source: "procps top.c", Case: "top"},
	{ID: "less", Kind: KindTool, Names: []string{"less"}, NeverWaits: true, Responses: map[int]Response{term: ends(15, 0, "exits 15")}, Source: "less signal.c", Case: "less"},
	{ID: "watch", Kind: KindTool, Names: []string{"watch"}, NeverWaits: true, Responses: map[int]Response{term: ends(0, 0.1, "exits"), sint: ends(0, 0.1, "exits")}, Source: "procps watch.c", Case: "watch"},
}
