import sun.misc.Signal;

/** A Java program that takes SIGTERM in one of the ways that they do. */
public class Sig {
	public static void main(String[] args) throws Exception {
		String mode = args.length > 0 ? args[0] : "plain";
		Runtime r = Runtime.getRuntime();
		switch (mode) {
		case "hook": r.addShutdownHook(new Thread(() -> finish(0))); break;
		case "slow": r.addShutdownHook(new Thread(() -> finish(1000))); break;
		case "stuck": r.addShutdownHook(new Thread(() -> finish(3600_000))); break;
		case "hookexit": r.addShutdownHook(new Thread(() -> System.exit(0))); break;
		case "handler": Signal.handle(new Signal("TERM"), s -> { finish(0); r.halt(0); }); break;
		case "swallow": Signal.handle(new Signal("TERM"), s -> System.out.println("HEARD")); break;
		default: break;
		}
		System.out.println("READY");
		Thread.sleep(Long.MAX_VALUE);
	}

	static void finish(long millis) {
		System.out.println("HEARD");
		try {
			Thread.sleep(millis);
		} catch (InterruptedException e) {
			return;
		}
		System.out.println("DONE");
	}
}
