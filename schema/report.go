package schema

import _ "embed"

// JSON Schemas (2020-12) of what this service hands out as JSON documents of their
// own. They are written by the tests of internal/report, from its types.
var (
	// Report describes a frozen report: test-coordination.report/v1.
	//
	//go:embed report/v1.schema.json
	Report []byte

	// Comparison describes a comparison of two: test-coordination.comparison/v1.
	//
	//go:embed report/comparison.v1.schema.json
	Comparison []byte
)
