// Package bulk writes whole views for analysts into files: Parquet, CSV or JSON
// lines, in parts, of which a manifest says what they hold.
//
//	views.go     what is known of the views: their keys and their times
//	export.go    one export: parts, one after the other, until there are no more rows
//	part.go      one part: written under another name, synced, then renamed
//	manifest.go  what is there, and where an interrupted export goes on
//	csv.go jsonl.go parquet.go   one row after the other, in each format
//
// Rows are streamed: what is held in memory is bounded by the settings, not by
// how many rows there are. A view with a key is read part by part along that
// key, each part as of one moment of its own, so that no transaction is open for
// long and an export can go on after any whole part. A view without one is read
// in a single transaction, as of one moment, and cannot be gone on with.
//
// The package knows views, files and formats. It must not know tables, nor what
// a column means.
package bulk
