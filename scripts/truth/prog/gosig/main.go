// Gosig is a Go server that takes signals in one of the ways that Go programs
// do. It logs READY, HEARD when a signal reached it and DONE when it has finished
// with it.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

var modes = map[string]func(){
	"none":       func() {},
	"http":       func() { go func() { _ = http.ListenAndServe("127.0.0.1:8080", nil) }() },
	"exit":       func() { go finish(wait(syscall.SIGTERM, os.Interrupt), 0) },
	"slow":       func() { go finish(wait(syscall.SIGTERM), time.Second) },
	"too-slow":   func() { go finish(wait(syscall.SIGTERM), time.Hour) },
	"noexit":     func() { c := wait(syscall.SIGTERM); go func() { hear(c) }() },
	"unread":     func() { wait(syscall.SIGTERM) },
	"int-only":   func() { go finish(wait(os.Interrupt), 0) },
	"hup-only":   func() { go finish(wait(syscall.SIGHUP), 0) },
	"all":        func() { go finish(wait(), 0) },
	"ignore":     func() { signal.Ignore(syscall.SIGTERM) },
	"ignore-int": func() { signal.Ignore(os.Interrupt) },
	"reset":      func() { wait(syscall.SIGTERM); signal.Reset(syscall.SIGTERM) },
	"context":    withContext,
	"graceful":   graceful,
	"child":      func() { go child(false) },
	"forward":    func() { go child(true) },
}

func main() {
	if len(os.Args) != 2 || modes[os.Args[1]] == nil {
		fmt.Println("usage: gosig MODE")
		os.Exit(2)
	}
	modes[os.Args[1]]()
	fmt.Println("READY")
	for {
		time.Sleep(time.Hour)
	}
}

func wait(signals ...os.Signal) chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, signals...)
	return c
}

// hear skips SIGURG, which the runtime sends to itself.
func hear(c chan os.Signal) {
	for s := range c {
		if s != syscall.SIGURG {
			fmt.Println("HEARD", s)
			return
		}
	}
}

func finish(c chan os.Signal, after time.Duration) {
	hear(c)
	time.Sleep(after)
	fmt.Println("DONE")
	os.Exit(0)
}

func withContext() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		defer stop()
		<-ctx.Done()
		fmt.Println("HEARD")
		fmt.Println("DONE")
		os.Exit(0)
	}()
}

// graceful is the server of the tutorials: Shutdown on a signal.
func graceful() {
	server := &http.Server{Addr: "127.0.0.1:8080"}
	c := wait(os.Interrupt, syscall.SIGTERM)
	go func() {
		hear(c)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		fmt.Println("DONE")
		os.Exit(0)
	}()
	go func() { _ = server.ListenAndServe() }()
}

// child runs gosig exit as a child, waits for it and passes signals on or not.
func child(forward bool) {
	c := exec.Command(os.Args[0], "exit")
	c.Stdout = os.Stdout
	if err := c.Start(); err != nil {
		os.Exit(3)
	}
	if forward {
		s := wait(syscall.SIGTERM)
		go func() { _ = c.Process.Signal(<-s) }()
	}
	_ = c.Wait()
	os.Exit(c.ProcessState.ExitCode())
}
