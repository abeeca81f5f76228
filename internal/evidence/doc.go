// Package evidence puts into one file what proves what a run was: the report, the
// definition, and every accepted event as it came; and it checks such a file
// without a server, a database or any setting.
//
//	README.txt              for people: what is here, how to check it by hand
//	definition.yaml|json|txt   the scenario version that was run, byte for byte
//	report.json             the frozen report, byte for byte
//	report.html             the same for people; optional
//	compared/<sha256>.json  the frozen reports of the runs that it is compared with
//	events.jsonl            the events in their order, a line each: see Line
//	manifest.json           sha-256 and size of all of them, head of the hash chain
//
// It is a ZIP with entries in this order and without times of its own: the same
// run makes the same bytes. Nothing may lie beside the entries (layout.go). The digest to keep elsewhere is that of manifest.json,
// which does not depend on how entries were compressed.
//
// What holds together (verify.go checks each): an event's key is made of its
// source, id and subject, its digest of everything that it states (package event,
// the code that ingest accepts events with); the chain over keys and digests ends
// in the head that the report names; the definition has the digest that the report
// names; and the report is built again from events and definition, and must have
// the same bytes. So nobody can alter one part and leave the others.
//
// What does not: there is no signature. Who rewrites the whole file, consistently,
// makes another file that holds together; it has another report digest and another
// manifest digest than those that were published or kept elsewhere. Outside of
// digests, and so only held by the manifest, are: what this service recorded about
// events (when, and from which offset), fields and extension attributes that the
// contract does not name, and correlation ids and trace parents.
//
// The package is pure but for its reader and writer. It knows no tables; memory is
// bounded by the largest event and by what report.Builder keeps.
package evidence
