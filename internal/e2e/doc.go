// Package e2e holds tests only: of the programs as they are delivered, built
// and run as processes that are configured by their environment alone, on real
// PostgreSQL, Redis and Kafka. What was sent is known from the acknowledgements
// of Kafka; what came of it is read from PostgreSQL and from the programs' own
// commands.
//
//	program_test.go      builds and runs tcda and tcda-lab
//	world_test.go        the servers of one test, and what is sent to them
//	ledger_test.go       what Kafka has acknowledged, held against what is stored
//	golden_test.go       the golden events of the contract as records
//	crash_test.go        SIGKILL at random moments
//	zombie_test.go       frozen, overtaken, awake
//	memory_linux_test.go bombs and deadly records under a limit of memory
//	versions_test.go     schemas of other versions, and migrations beneath a service
//	upgrade_test.go      a rolling upgrade from the previous program (previous_test.go builds it)
//	service_test.go      health, metrics, a graceful stop, Redis away
//	kafka_test.go        what Kafka may do to a log: transactions, compaction, retention, new partitions
//	gaps_test.go         partitions that stop at a gap; topics made again
//	load_test.go         records of many runs
//	churn_test.go        instances that come and go, leaders that move, brokers that restart
//	outage_test.go       Kafka slow, cut off, stopped
//	secured_test.go      TLS, SCRAM and rights that are granted late
//	ecosystem_test.go    roles, names, URLs and rights as they are in the ecosystem, at once
//	emit_test.go         tcda-lab as the sender and the judge
//	bench_test.go        tcda-lab bench, and its report for programs
//	interop_test.go      coordinator.py, which shares nothing with us but the .proto
//	                     files (build tag interop: make test-interop)
//	interopbulk_test.go  the Chaos Toolkit run and its journals imported; exports read by
//	                     pyarrow and DuckDB (readback.py; build tag interop, too)
//
// Together with the conformance tests of package kafkalog, which list what is
// held there, these are the tests of brokers: they run on the in-process Kafka,
// and on Apache Kafka by "make test-kafka". Of the whole way, from record to row,
// they hold on both:
//   - both CloudEvents modes in both encodings, in every compression, by
//     transactional producers that commit and abort
//   - a compacted log is ingested to its end
//   - records that expire unread, and a topic made again, shorter or longer, with
//     the service away or at work: the partition stops, with the gap recorded,
//     and goes on by an operator's word
//   - partitions that are added
//   - instances that join, leave and die every second under load; leaders that
//     move, brokers that restart and crash: every record once
//   - a broker that is slow, refuses, is cut off in one direction or in both, or is
//     stopped, under load: the service stays, and every record is stored once
//   - SCRAM over TLS; the service names what is missing and waits for it
//
// The package knows the programs by their commands and the contract. It must
// not know how they work: no test here reaches into a running service.
package e2e
