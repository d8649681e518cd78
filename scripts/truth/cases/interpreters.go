package cases

// app is a case of one source file run by an interpreter.
func source(name, interpreter, file, code string) Case {
	return run(name, interpreter, Dir(name)+"/"+file).file(file, code+"\n")
}

func interpreters() []Case {
	all := python()
	all = append(all, ruby()...)
	all = append(all, perl()...)
	all = append(all, php()...)
	return append(all, otherInterpreters()...)
}

func python() []Case {
	py := func(name, code string) Case { return source("python-"+name, "python3", "main.py", code) }
	const handler = "def h(s, f):\n    print('HEARD', flush=True)\n    sys.exit(0)\nsignal.signal(signal.SIGTERM, h)\n"
	const imports = "import sys, os, time, signal, threading, subprocess, asyncio\n"
	heard := func(name, code string) Case { return py(name, imports+code).unknowable().finishes(1, "HEARD") }
	return []Case{
		py("plain", "import time\ntime.sleep(1000)"),
		py("ign", "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)"),
		py("keyint", "import time\ntry:\n    time.sleep(1000)\nexcept KeyboardInterrupt:\n    print('bye')"),
		py("subprocess", "import subprocess\nsubprocess.run(['sleep', '1000'])"),
		py("system", "import os, time\nos.system('sleep 1000')\ntime.sleep(1000)"),
		py("system-handler", imports+handler+"os.system('sleep 1000; true')"),
		py("system-exec", imports+handler+"os.system('exec sleep 1000')"),
		py("threads", "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()"),
		py("http", "import http.server\nhttp.server.test(port=8000)"),
		py("atexit", "import atexit, time\natexit.register(print, 'bye')\ntime.sleep(1000)"),
		py("multiprocessing", "import multiprocessing, time\nif __name__ == '__main__':\n    multiprocessing.Pool(2)\n    time.sleep(1000)"),
		py("asyncio-plain", "import asyncio\nasyncio.run(asyncio.sleep(1000))"),
		heard("signal", handler+"time.sleep(1000)"),
		heard("subprocess-handler", handler+"subprocess.run(['sleep', '1000'])"),
		heard("join", handler+"t = threading.Thread(target=time.sleep, args=(1000,), daemon=True)\nt.start()\nt.join()"),
		heard("asyncio", "async def main():\n    e = asyncio.Event()\n    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, e.set)\n    await e.wait()\n    print('HEARD', flush=True)\nasyncio.run(main())"),
		heard("sigwait", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\nsignal.sigwait({signal.SIGTERM})\nprint('HEARD', flush=True)"),
		py("signal-noexit", imports+"signal.signal(signal.SIGTERM, lambda s, f: print('got it'))\nwhile True:\n    time.sleep(1000)").unknowable(),
		py("thread-left", imports+handler+"threading.Thread(target=time.sleep, args=(1000,)).start()\ntime.sleep(1000)").unknowable(),
		run("python-plain-int", "python3", "-c", "import time; time.sleep(1000)").signal("SIGINT"),
		run("python-plain-init", "python3", "-c", "import time; time.sleep(1000)").with("--init"),
		run("python-plain-hup", "python3", "-c", "import time; time.sleep(1000)").signal("SIGHUP"),
		run("python-repl", "python3").with("-it"),
		run("python-m-http", "python3", "-m", "http.server", "8000"),
	}
}

func ruby() []Case {
	rb := func(name, code string) Case { return source("ruby-"+name, "ruby", "main.rb", code) }
	return []Case{
		rb("plain", "sleep").unknowable(), // its own handler looks like a trap
		rb("ensure", "begin; sleep; ensure; puts 'HEARD'; $stdout.flush; end").unknowable().finishes(1, "HEARD"),
		rb("trap", "trap('TERM') { puts 'HEARD'; $stdout.flush; exit }\nsleep").unknowable().finishes(1, "HEARD"),
		rb("trap-noexit", "trap('TERM') { puts 'got it' }\nloop { sleep }").unknowable(),
		rb("ign", "trap('TERM', 'IGNORE')\nsleep"),
		rb("default", "trap('TERM', 'SYSTEM_DEFAULT')\nsleep"),
		rb("system", "trap('TERM') { exit }\nsystem('sleep 1000; true')").unknowable(),
		rb("thread", "Thread.new { loop { sleep 1 } }\nsleep").unknowable(),
		run("ruby-plain-init", "ruby", "-e", "sleep").with("--init").unknowable(),
		run("ruby-plain-usr2", "ruby", "-e", "sleep").signal("SIGUSR2").unknowable(),
	}
}

func perl() []Case {
	pl := func(name, code string) Case { return source("perl-"+name, "perl", "main.pl", code) }
	return []Case{
		pl("plain", "sleep 1000;"),
		pl("handler", "$| = 1; $SIG{TERM} = sub { print \"HEARD\\n\"; exit 0 }; sleep 1000 while 1;").unknowable().finishes(1, "HEARD"),
		pl("noexit", "$SIG{TERM} = sub { print \"got it\\n\" }; sleep 1000 while 1;").unknowable(),
		pl("ign", "$SIG{TERM} = 'IGNORE'; sleep 1000;"),
		pl("system", "system('sleep 1000; true');"),
		pl("system-handler", "$SIG{TERM} = sub { exit 0 }; system('sleep 1000; true'); sleep 1000").unknowable(), // perl runs it while it waits
		pl("backtick", "my $x = `sleep 1000; true`;"),
	}
}

func php() []Case {
	ph := func(name, code string) Case { return source("php-"+name, "php", "main.php", "<?php\n"+code) }
	const handler = "pcntl_signal(SIGTERM, function () { echo \"HEARD\\n\"; exit(0); });\n"
	return []Case{
		ph("plain", "while (true) sleep(1000);"),
		ph("async", "pcntl_async_signals(true);\n"+handler+"while (true) sleep(1);").unknowable().finishes(1, "HEARD"),
		ph("dispatch", handler+"while (true) { sleep(1); pcntl_signal_dispatch(); }").unknowable().finishes(1, "HEARD"),
		ph("noticks", handler+"while (true) sleep(1000);").unknowable(),
		ph("ign", "pcntl_signal(SIGTERM, SIG_IGN);\nwhile (true) sleep(1000);"),
		ph("exec", "shell_exec('sleep 1000; true');"),
		run("php-server", "php", "-S", "127.0.0.1:8000", "-t", "/tmp"),
		run("php-interactive", "php", "-a").with("-i"),
		run("php-init", "php", "-r", "while (true) sleep(1000);").with("--init"),
		run("php-cgi", "php-cgi", "-b", "127.0.0.1:9000"),
	}
}

func otherInterpreters() []Case {
	return []Case{
		source("lua-oscall", "lua5.4", "main.lua", "os.execute('sleep 1000; true')"),
		run("lua-stdin", "lua5.4", "-").with("-i"),
		run("lua-busy", "lua5.4", "-e", "while true do end").busy(),
		source("tcl-plain", "tclsh", "main.tcl", "vwait forever"),
		run("gawk-system", "gawk", "BEGIN { system(\"sleep 1000; true\") }"),
		run("gawk-read", "gawk", "{ print }").with("-i"),
		run("erl-noinput", "erl", "-noinput").patient(),
		run("erl-noshell", "erl", "-noshell", "-eval", "timer:sleep(infinity)").with("-i").patient(),
		run("erl-int", "erl", "-noinput").signal("SIGINT").patient(),
		run("erl-init", "erl", "-noinput").with("--init").patient(),
		run("rust-sleep", "/usr/lib/cargo/bin/coreutils/sleep", "1000"),
		run("rust-yes", "sh", "-c", "exec /usr/lib/cargo/bin/coreutils/yes >/dev/null").busy(),
	}
}
