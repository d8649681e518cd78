// Command whystuck says what `docker stop` will do to a container and why,
// without touching the container.
package main

import (
	"context"
	"os"

	"github.com/whystuck/whystuck/pkg/cli"
)

// version is set by the linker (-X main.version=...).
var version string

func main() { os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Host(version))) }
