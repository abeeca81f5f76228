// Package bench measures the built service against what its database can do at
// best, and prints what it finds as ratios of one run: numbers of two runs, or
// of two machines, do not compare.
//
//	bench.go      what is measured, in which order
//	servers.go    PostgreSQL, Kafka, Redis: started here, ended here
//	adapter.go    tcda serve, as a process of its own
//	ingestion.go  a backlog from Kafka into PostgreSQL, between two commits
//	ceiling.go    the rows that the service stored, inserted the plainest way
//	rows.go       reading and encoding them
//	latency.go    from an acknowledged record to a committed one
//	parts.go      single records, memory under a backlog, the program's version
//	history.go    the same work on 1, 10 and 50 million stored rows
//	fill.go       makes that many, of copies of a few runs
//	usage.go      processor time and memory, as the kernel counts them
//	scrape.go     what the service says of itself
//	report.go     figures, for programs and for people
//
// It starts programs and looks at databases from outside; of the service's
// packages it uses only the migrations and what tests and the lab use too.
package bench
