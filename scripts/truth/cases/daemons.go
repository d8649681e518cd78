package cases

// conf is a file of prog/conf in the container.
func conf(name string) string { return Mount + "/app/conf/" + name }

const (
	postgresCommand = "exec /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -c config_file=/etc/postgresql/15/main/postgresql.conf -c ssl=off -c unix_socket_directories=/tmp"
	// halfRequest keeps a connection to a local web server open with a request
	// that never ends.
	halfRequest = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n' >&3; sleep 1000"
)

func daemons() []Case {
	all := webServers()
	all = append(all, appServers()...)
	all = append(all, dataStores()...)
	return append(all, systemDaemons()...)
}

func webServers() []Case {
	nginx := cmd("nginx", "-g", "daemon off;")
	apache := cmd("bash", "-c", "mkdir -p /run/apache2; . /etc/apache2/envvars; exec apache2 -DFOREGROUND")
	haproxy := cmd("haproxy", "-db", "-f", conf("haproxy.cfg"))
	squid := func(options string) []string {
		return cmd("sh", "-c", "mkdir -p /run/squid; chown proxy /run/squid; exec squid "+options+" -f "+conf("squid.conf"))
	}
	return []Case{
		run("nginx", nginx...),
		run("nginx-quit", nginx...).signal("SIGQUIT"),
		run("nginx-int", nginx...).signal("SIGINT"),
		run("nginx-single", "nginx", "-g", "daemon off; master_process off;"),
		run("nginx-term-client", nginx...).exec("bash", "-c", halfRequest),
		run("nginx-quit-client", nginx...).signal("SIGQUIT").exec("bash", "-c", halfRequest),
		run("nginx-hup", nginx...).signal("SIGHUP"),
		run("nginx-sh", "sh", "-c", "nginx -g 'daemon off;'; true"),
		run("nginx-init", nginx...).with("--init"),
		run("nginx-sh-init", "sh", "-c", "nginx -g 'daemon off;'; true").with("--init").cut("nginx is not waited for"),
		run("apache2", apache...),
		run("apache2-winch", apache...).signal("SIGWINCH"),
		run("apache2-winch-client", apache...).signal("SIGWINCH").exec("bash", "-c", halfRequest),
		run("apache2ctl", "bash", "-c", "mkdir -p /run/apache2; exec apachectl -D FOREGROUND"),
		run("caddy", "sh", "-c", "HOME=/tmp exec caddy file-server --listen :8080"),
		run("caddy-run", "sh", "-c", "HOME=/tmp exec caddy run --config "+conf("Caddyfile")),
		run("lighttpd", "lighttpd", "-D", "-f", conf("lighttpd.conf")),
		run("lighttpd-int", "lighttpd", "-D", "-f", conf("lighttpd.conf")).signal("SIGINT"),
		run("haproxy", haproxy...),
		run("haproxy-usr1", haproxy...).signal("SIGUSR1"),
		run("haproxy-usr1-client", haproxy...).signal("SIGUSR1").exec("bash", "-c", halfRequest),
		run("haproxy-master", "haproxy", "-W", "-db", "-f", conf("haproxy.cfg")),
		run("haproxy-master-usr1", "haproxy", "-W", "-db", "-f", conf("haproxy.cfg")).signal("SIGUSR1"),
		run("squid", squid("--foreground")...),
		run("squid-N", squid("-N")...),
		run("tinyproxy", "tinyproxy", "-d", "-c", "/etc/tinyproxy/tinyproxy.conf"),
		run("privoxy", "privoxy", "--no-daemon", "/etc/privoxy/config"),
		run("stunnel", "sh", "-c", "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k -out /tmp/c -subj /CN=x -days 9 2>/dev/null; cat /tmp/k /tmp/c >/tmp/pem; exec stunnel4 "+conf("stunnel.conf")),
		run("hitch", "sh", "-c", "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k -out /tmp/c -subj /CN=x -days 9 2>/dev/null; cat /tmp/k /tmp/c >/tmp/pem; exec hitch -b '[127.0.0.1]:80' -f '[*]:8443' -u nobody /tmp/pem"),
		run("h2o", "h2o", "-c", conf("h2o.conf")),
		run("mini-httpd", "mini_httpd", "-D", "-p", "8080", "-d", "/tmp"),
		run("nghttpx", "nghttpx", "-f127.0.0.1,8080;no-tls", "-b127.0.0.1,80"),
		run("traffic-server", "traffic_server").patient(),
		run("busybox-httpd", "busybox", "httpd", "-f", "-p", "8080"),
	}
}

func appServers() []Case {
	py := func(name string, command ...string) Case {
		return run(name, command...).with("-w", Mount+"/app/app", "-e", "PYTHONDONTWRITEBYTECODE=1")
	}
	fpm := cmd("php-fpm8.2", "-F", "-y", conf("php-fpm.conf"))
	uwsgi := cmd("uwsgi", "--plugin", "python3", "--http-socket", ":9090", "--wsgi-file", Mount+"/app/app/wsgi.py")
	gunicorn := cmd("gunicorn", "-b", "127.0.0.1:80", "wsgi")
	return []Case{
		run("php-fpm", fpm...),
		run("php-fpm-quit", fpm...).signal("SIGQUIT"),
		run("uwsgi", uwsgi...),
		run("uwsgi-int", uwsgi...).signal("SIGINT"),
		run("uwsgi-master", append(uwsgi, "--master")...),
		run("uwsgi-master-int", append(uwsgi, "--master")...).signal("SIGINT").patient(),
		run("uwsgi-master-die", append(uwsgi, "--master", "--die-on-term")...).patient(),
		run("uwsgi-master-quit", append(uwsgi, "--master")...).signal("SIGQUIT").patient(),
		py("gunicorn", gunicorn...).patient(),
		py("gunicorn-quit", gunicorn...).signal("SIGQUIT").patient(),
		py("gunicorn-int", gunicorn...).signal("SIGINT").patient(),
		py("gunicorn-busy", gunicorn...).exec("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET /slow HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; sleep 1000"),
		py("gunicorn-gthread", "gunicorn", "-k", "gthread", "--threads", "2", "-b", ":8000", "wsgi").patient(),
		py("celery-solo", "celery", "-A", "tasks", "worker", "-P", "solo", "-l", "info").ready("ready.").patient(),
		py("celery-prefork", "celery", "-A", "tasks", "worker", "-c", "2", "-l", "info").ready("ready.").stop("-t", "20"),
		py("celery-beat", "celery", "-A", "tasks", "beat", "-s", "/tmp/beat").patient(),
		py("uvicorn", "python3", "-m", "uvicorn", "asgi:app").patient(),
		py("uvicorn-workers", "python3", "-m", "uvicorn", "--workers", "2", "asgi:app").patient(),
		py("flask", "flask", "--app", "flask_app", "run"),
		py("flask-debug", "flask", "--app", "flask_app", "--debug", "run"),
		py("waitress", "waitress-serve", "--port=8081", "wsgi:application"),
		py("twistd", "twistd3", "-n", "--pidfile=", "web", "--port", "tcp:8080").patient(),
		py("aiohttp", "python3", "-m", "aiohttp.web", "-H", "127.0.0.1", "-P", "8080", "aio:init").patient(),
		py("tornado", "python3", "tornado_app.py").patient(),
		py("rq", "sh", "-c", "redis-server --daemonize yes >/dev/null; sleep 0.5; exec rqworker").patient(),
		run("puma", "puma", "-p", "9292", conf("config.ru")),
		run("puma-cluster", "puma", "-w", "2", "-p", "9292", conf("config.ru")).patient(),
		run("unicorn", "unicorn", "-p", "8080", conf("config.ru")).patient(),
		run("unicorn-quit", "unicorn", "-p", "8080", conf("config.ru")).signal("SIGQUIT").patient(),
		run("thin", "thin", "-R", conf("config.ru"), "start").with("-w", "/tmp").patient(),
		run("webrick", "ruby", "-rwebrick", "-e", "s = WEBrick::HTTPServer.new(Port: 8080); trap('INT') { s.shutdown }; s.start").unknowable(),
		run("sidekiq", "sh", "-c", "redis-server --daemonize yes >/dev/null; sleep 0.5; exec sidekiq -r "+conf("sidekiq.rb")).with("-w", "/tmp").patient(),
		run("spawn-fcgi", "spawn-fcgi", "-n", "-p", "9001", "--", "/usr/sbin/fcgiwrap"),
	}
}

func dataStores() []Case {
	postgres := func(name string) Case {
		return run(name, "sh", "-c", postgresCommand).with("-u", "postgres").ready("ready to accept connections")
	}
	client := cmd("psql", "-h", "/tmp", "-c", "select pg_sleep(1000)", "postgres")
	maria := func(name, command string) Case {
		return run(name, "sh", "-c", "mkdir -p /run/mysqld; chown mysql /run/mysqld; exec "+command)
	}
	redis := cmd("redis-server", "--save", "")
	return []Case{
		run("redis", redis...),
		run("redis-int", redis...).signal("SIGINT"),
		run("redis-cant-save", "redis-server", "--save", "900", "1", "--dir", "/ro").with("--tmpfs", "/ro:ro"),
		run("redis-init", redis...).with("--init"),
		run("redis-sentinel", "sh", "-c", "echo 'sentinel monitor m 127.0.0.1 1 1' >/tmp/s.conf; exec redis-sentinel /tmp/s.conf"),
		run("memcached", "memcached", "-u", "nobody").patient(),
		run("memcached-usr1", "memcached", "-u", "nobody").signal("SIGUSR1").patient(),
		postgres("postgres").patient(),
		postgres("postgres-int").signal("SIGINT").patient(),
		postgres("postgres-quit").signal("SIGQUIT").patient(),
		postgres("postgres-client").exec(client...),
		postgres("postgres-int-client").signal("SIGINT").exec(client...),
		run("postgres-sh", "sh", "-c", "su postgres -c '"+postgresCommand+"'; true").ready("ready to accept connections"),
		maria("mariadbd", "mariadbd --user=mysql").ready("ready for connections").patient(),
		maria("mariadbd-client", "mariadbd --user=mysql").ready("ready for connections").exec("mariadb", "-e", "select sleep(1000)").patient(),
		maria("mariadbd-safe", "mysqld_safe"),
		run("mosquitto", "mosquitto", "-c", conf("mosquitto.conf")),
		run("rabbitmq", "rabbitmq-server").with("-u", "rabbitmq", "-h", "rmq", "--add-host", "rmq:127.0.0.1").patient(),
		run("nats", "nats-server"),
		run("etcd", "etcd", "--data-dir", "/tmp/etcd").patient(),
		run("beanstalkd", "beanstalkd", "-l", "127.0.0.1"),
		run("gearmand", "gearmand", "--log-file", "stderr"),
		run("slapd", "slapd", "-d", "0", "-h", "ldap:///", "-u", "openldap", "-g", "openldap").patient(),
		run("pgbouncer", "pgbouncer", conf("pgbouncer.ini")).with("-u", "postgres"),
		run("pgbouncer-int", "pgbouncer", conf("pgbouncer.ini")).with("-u", "postgres").signal("SIGINT"),
	}
}

func systemDaemons() []Case {
	sshd := cmd("sh", "-c", "mkdir -p /run/sshd; exec /usr/sbin/sshd -D -e")
	return []Case{
		run("sshd", sshd...),
		run("cron", "cron", "-f"),
		run("busybox-syslogd", "busybox", "syslogd", "-n"),
		run("atd", "atd", "-f"),
		run("rsyslogd", "rsyslogd", "-n", "-f", conf("rsyslog.conf"), "-i", "/tmp/rsyslog.pid"),
		run("dnsmasq", "dnsmasq", "-k", "-u", "root"),
		run("named", "named", "-g", "-u", "bind").with("-w", "/tmp").patient(),
		run("unbound", "unbound", "-d", "-c", conf("unbound.conf")),
		run("nsd", "nsd", "-d", "-c", conf("nsd.conf")),
		run("knotd", "knotd", "-c", conf("knot.conf")),
		run("pdns", "pdns_server", "--daemon=no", "--guardian=no", "--launch=bind", "--socket-dir=/tmp", "--local-port=5353"),
		run("pdns-recursor", "pdns_recursor", "--daemon=no", "--socket-dir=/tmp"),
		run("chronyd", "chronyd", "-x", "-d", "-f", "/dev/null"),
		run("postfix", "postfix", "start-fg").patient(),
		run("dovecot", "dovecot", "-F").patient(),
		run("vsftpd", "sh", "-c", "mkdir -p /var/run/vsftpd/empty; exec vsftpd "+conf("vsftpd.conf")),
		run("tftpd", "in.tftpd", "-L", "/tmp"),
		run("rsync-daemon", "rsync", "--daemon", "--no-detach", "--config="+conf("rsyncd.conf")),
		run("git-daemon", "git", "daemon", "--base-path=/tmp", "--export-all"),
		run("inetd", "sh", "-c", "echo 'echo stream tcp nowait root internal' >/tmp/inetd.conf; exec inetutils-inetd -d /tmp/inetd.conf"),
		run("snmpd", "snmpd", "-f", "-Lo", "-C", "--agentaddress=127.0.0.1:1161"),
		run("transmission", "transmission-daemon", "-f", "-g", "/tmp/tr").patient(),
		run("turnserver", "turnserver", "-n", "--no-tls", "--no-dtls", "-L", "127.0.0.1", "--log-file", "stdout", "--pidfile", "/tmp/turn.pid", "--userdb", "/tmp/turndb"),
		run("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--print-address"),
		run("busybox-nc", "busybox", "nc", "-l", "-p", "7000"),
		run("docker-registry", "docker-registry", "serve", "/etc/docker/registry/config.yml"),
		run("node-exporter", "prometheus-node-exporter"),
		run("blackbox-exporter", "prometheus-blackbox-exporter", "--config.file=/etc/prometheus/blackbox.yml"),
		run("pushgateway", "prometheus-pushgateway"),
		run("alertmanager", "prometheus-alertmanager", "--config.file="+conf("alertmanager.yml"), "--storage.path=/tmp/am", "--cluster.listen-address="),
		run("prometheus", "prometheus", "--config.file="+conf("prometheus.yml"), "--storage.tsdb.path=/tmp/prom").patient(),
		run("syncthing", "syncthing", "serve", "--no-browser", "--home=/tmp/st").with("-e", "HOME=/tmp"),
	}
}
