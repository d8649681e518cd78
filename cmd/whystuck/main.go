// Command whystuck says what `docker stop` will do to a container and why,
// without touching the container.
package main

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/whystuck/whystuck/pkg/cli"
)

// version is set by the linker (-X main.version=...).
var version string

func main() {
	log.SetOutput(io.Discard) // net/http talks there of servers that are no engine; what matters of it comes as an error
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Host(version)))
}
