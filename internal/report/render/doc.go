// Package render writes a report, or a comparison of two, in the formats that
// people and machines read.
//
//	report.Report ──► clean: texts that cannot do harm ──┬─► markdown.go, html*.go, chart*.go   for people
//	                                                     ├─► cases.go ─► junit.go, ctrf.go      for CI
//	                                                     ├─► journal.go                         for the Chaos Toolkit
//	                                                     └─► csv.go                             for spreadsheets
//	report.Report ──► Encode ──► JSON, the frozen bytes
//
// Texts come from producers and may hold anything. They stay text in each format:
// markup is escaped by html/template, encoding/xml and encoding/json, formulas by
// csvtext, Markdown here, and what would be illegal or invisible (control
// characters, overrides of the writing direction) is shown instead of obeyed; see
// visible. The exact texts are in the JSON.
//
// The package is pure: the same report gives the same bytes. It reads no clock
// and no other report, and decides nothing: what a run was is said by package
// report, how that looks is said here.
package render
