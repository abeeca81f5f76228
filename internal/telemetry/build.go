package telemetry

import (
	"runtime"
	"runtime/debug"
)

// Set by the linker: -ldflags "-X <this package>.version=v1.2.3 -X <this package>.revision=abc".
var version, revision string

// Build says which program is running.
type Build struct {
	Version  string `json:"version"`            // a tag, or "devel"
	Revision string `json:"revision,omitempty"` // of the source; empty when it is not known
	Go       string `json:"go"`                 // the compiler's version
}

// ThisBuild is what the linker was told, else what the Go tool recorded.
func ThisBuild() Build {
	b := Build{Version: version, Revision: revision, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && b.Revision == "" {
			b.Revision = s.Value
		}
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}
