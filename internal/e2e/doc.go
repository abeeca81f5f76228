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
//	emit_test.go         tcda-lab as the sender and the judge
//	interop_test.go      coordinator.py, which shares nothing with us but the .proto
//	                     files (build tag interop: make test-interop)
//
// The package knows the programs by their commands and the contract. It must
// not know how they work: no test here reaches into a running service.
package e2e
