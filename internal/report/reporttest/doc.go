// Package reporttest has runs to make reports of: events as a coordinator sends
// them, and what is known beside. Package report is tested with them, and so is
// whatever renders, stores or serves reports.
//
// Every event went through the decoder, so that identities, digests and JSON are
// those of the service. The package knows nothing of how reports are made.
package reporttest
