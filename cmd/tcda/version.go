package main

import (
	"encoding/json"
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

type versionCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run prints the build.
func (c *versionCmd) Run(term console) error {
	build := telemetry.ThisBuild()
	if c.JSON {
		return json.NewEncoder(term.out).Encode(build)
	}
	_, err := fmt.Fprintf(term.out, "tcda %s %s %s\n", build.Version, build.Revision, build.Go)
	return err
}
