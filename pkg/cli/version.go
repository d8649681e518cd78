package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// versions is what `whystuck version --json` prints.
type versions struct {
	Version        string `json:"version"`
	Go             string `json:"go"`
	Platform       string `json:"platform"`        // e.g. linux/amd64
	ReportSchema   int    `json:"report_schema"`   // of --json
	SnapshotSchema int    `json:"snapshot_schema"` // of capture and --from
}

func newVersion(a *app) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:                   "version [--json]",
		Short:                 "print the version, and those of the formats",
		Args:                  atMost(0),
		DisableFlagsInUseLine: true,
		RunE: func(*cobra.Command, []string) error {
			v := versions{a.version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, diagnose.ReportSchema, evidence.SnapshotSchema}
			if asJSON {
				enc := json.NewEncoder(a.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(v)
			}
			_, err := fmt.Fprintf(a.Out, "whystuck %s (%s, %s; report schema %d, capture schema %d)\n",
				v.Version, v.Go, v.Platform, v.ReportSchema, v.SnapshotSchema)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}
