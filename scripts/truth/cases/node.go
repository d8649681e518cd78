package cases

import "strings"

// What Node programs do with SIGTERM. Each logs READY.
var nodeApps = map[string]string{
	"plain":     `setInterval(() => {}, 1000)`,
	"server":    `require('http').createServer((q, s) => s.end('hi')).listen(8080)`,
	"term":      `process.on('SIGTERM', () => { console.log('HEARD'); process.exit(0) }); setInterval(() => {}, 1000)`,
	"noexit":    `process.on('SIGTERM', () => console.log('got it')); setInterval(() => {}, 1000)`,
	"int-only":  `process.on('SIGINT', () => process.exit(0)); setInterval(() => {}, 1000)`,
	"usr2-only": `process.on('SIGUSR2', () => {}); setInterval(() => {}, 1000)`,
	"removed":   `const f = () => process.exit(0); process.on('SIGTERM', f); process.removeListener('SIGTERM', f); setInterval(() => {}, 1000)`,
	"once":      `process.once('SIGTERM', () => { console.log('HEARD'); process.exit(0) }); setInterval(() => {}, 1000)`,
	"slow":      `process.on('SIGTERM', () => setTimeout(() => { console.log('DONE'); process.exit(0) }, 1000)); setInterval(() => {}, 1000)`,
	"graceful": `const s = require('http').createServer((q, r) => r.end('hi')).listen(8080)
process.on('SIGTERM', () => s.close(() => { console.log('HEARD'); process.exit(0) }))`,
	"busy":    `setTimeout(() => { for (;;); }, 100)`,
	"child":   `require('child_process').spawn('sleep', ['1000'])`,
	"sync":    `require('child_process').execSync('sleep 1000')`,
	"worker":  `const w = require('worker_threads'); if (w.isMainThread) new w.Worker(__filename); setInterval(() => {}, 1000)`,
	"cluster": `const c = require('cluster'); if (c.isPrimary) { c.fork(); c.fork() } setInterval(() => {}, 1000)`,
	"cluster-term": `const c = require('cluster'); if (c.isPrimary) { c.fork(); process.on('SIGTERM', () => process.exit(0)) }
setInterval(() => {}, 1000)`,
}

// nodeCase runs an app with one of the Nodes: node20 is the official build of
// that major, nodejs Debian's own.
func nodeCase(node, app string) Case {
	name := strings.Replace(node, "nodejs", "node-debian", 1) + "-" + app
	c := run(name, node, Dir(name)+"/app.js").file("app.js", nodeApps[app]+"\n")
	switch app {
	case "term", "once", "graceful":
		c = c.unknowable().finishes(1, "HEARD")
	case "slow":
		c = c.unknowable().finishes(1, "DONE")
	case "busy":
		c = c.busy()
	case "noexit", "cluster-term":
		c = c.unknowable()
	}
	if node != "nodejs" {
		c = c.needs("/usr/local/bin/" + node)
	}
	return c
}

func node() []Case {
	var all []Case
	for _, app := range []string{"plain", "server", "term", "noexit", "int-only", "usr2-only", "removed", "once", "slow",
		"graceful", "busy", "child", "sync", "worker", "cluster", "cluster-term"} {
		all = append(all, nodeCase("node20", app))
	}
	for _, major := range []string{"node18", "node22", "node24"} {
		for _, app := range []string{"plain", "term", "int-only"} {
			all = append(all, nodeCase(major, app))
		}
	}
	all = append(all,
		nodeCase("nodejs", "plain").unknowable(), // no symbols: nothing says whose handler it is, except BPF
		nodeCase("nodejs", "term"),
		run("node20-plain-int", "node20", "-e", nodeApps["plain"]).signal("SIGINT").needs("/usr/local/bin/node20"),
		run("node20-plain-hup", "node20", "-e", nodeApps["plain"]).signal("SIGHUP").needs("/usr/local/bin/node20"),
		run("node20-plain-usr1", "node20", "-e", nodeApps["plain"]).signal("SIGUSR1").needs("/usr/local/bin/node20"),
		run("node20-init", "node20", "-e", nodeApps["plain"]).with("--init").needs("/usr/local/bin/node20"),
		run("node20-term-init", "node20", "-e", nodeApps["term"]).with("--init").unknowable().finishes(1, "HEARD").needs("/usr/local/bin/node20"),
		run("node20-sh", "sh", "-c", "node20 -e '"+nodeApps["plain"]+"'; true").needs("/usr/local/bin/node20"),
		run("node20-repl", "node20").with("-it").needs("/usr/local/bin/node20"),
	)
	return append(all, nodeTools()...)
}

// packageJSON has a start script for each way to write one.
const packageJSON = `{"name": "app", "version": "1.0.0", "scripts": {
 "start": "node20 app.js", "two": "node20 app.js; true", "exec": "exec node20 app.js"}}
`

// tool runs a package manager or process manager in a directory with an app. The
// directory is copied, as they write beside it.
func tool(name, app string, command string) Case {
	c := run(name, "bash", "-c", "cp -r "+Dir(name)+" /tmp/app && cd /tmp/app && exec "+command).
		with("-e", "HOME=/tmp", "-e", "npm_config_update_notifier=false", "-e", "npm_config_offline=true").
		file("app.js", "console.log('READY')\n"+nodeApps[app]+"\n").file("package.json", packageJSON).ready("READY").
		needs("/usr/local/bin/npm", "/usr/local/bin/node20")
	return c
}

func nodeTools() []Case {
	return []Case{
		tool("npm-start-plain", "plain", "npm start").patient(),
		tool("npm-start-term", "slow", "npm start").finishes(1, "DONE").patient(),
		tool("npm-run-two", "slow", "npm run two").finishes(1, "DONE").patient(),
		tool("npm-run-exec", "slow", "npm run exec").unknowable().finishes(1, "DONE").patient(),
		tool("npm-start-init", "slow", "npm start").with("--init").finishes(1, "DONE").patient(),
		tool("npx", "slow", "npx --no -c 'node20 app.js'").finishes(1, "DONE").patient(),
		tool("yarn-start", "slow", "yarn start").finishes(1, "DONE").patient(),
		tool("pnpm-start", "slow", "pnpm start").finishes(1, "DONE").patient(),
		tool("pm2-runtime-plain", "plain", "pm2-runtime app.js").patient(),
		tool("pm2-runtime-term", "term", "pm2-runtime app.js").patient(), // it sends INT
		tool("nodemon-plain", "plain", "nodemon app.js").patient(),
		tool("nodemon-term", "slow", "nodemon app.js").finishes(1, "DONE").patient(),
	}
}
