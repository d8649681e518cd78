package cases

// java is prog/java/Sig.java in its modes.
func java() []Case {
	mode := func(name string, options ...string) Case {
		return run("java-"+name, append(append(cmd("java"), options...), "-cp", Mount+"/bin", "Sig", name)...).
			ready("READY").needs(javaNeeds...)
	}
	all := []Case{
		mode("plain"),
		mode("hook").unknowable().finishes(1, "DONE"),
		mode("slow").unknowable().finishes(1, "DONE"),
		mode("stuck").unknowable(),
		mode("hookexit").unknowable(),
		mode("handler").unknowable().finishes(1, "DONE"),
		mode("swallow").unknowable(),
		mode("xrs", "-Xrs"),
	}
	all[0] = all[0].unknowable() // nobody can see that there is no hook
	plain := func(name string) Case {
		return run("java-plain-"+name, "java", "-cp", Mount+"/bin", "Sig").ready("READY").needs(javaNeeds...)
	}
	return append(all,
		plain("init").with("--init").unknowable(),
		plain("int").signal("SIGINT").unknowable(),
		plain("quit").signal("SIGQUIT"),
		plain("usr1").signal("SIGUSR1"),
		run("java-sh", "sh", "-c", "java -cp "+Mount+"/bin Sig hook; true").ready("READY").needs(javaNeeds...),
		run("java-sh-init", "sh", "-c", "java -cp "+Mount+"/bin Sig slow; true").with("--init").ready("READY").finishes(1, "DONE").needs(javaNeeds...),
		run("java-trap-empty", "sh", "-c", "trap '' TERM; exec java -cp "+Mount+"/bin Sig").ready("READY").needs(javaNeeds...),
	)
}
