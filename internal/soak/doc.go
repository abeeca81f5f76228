// Package soak lets the built service work for a long time while everything
// around it fails, and then has a checker judge what it has made of it.
//
// Two workers (tcda serve, as processes of their own) run on a real PostgreSQL
// that waits for its disk, a real redis-server and a real Apache Kafka, with a
// proxy before each; a Kafka in this process, which is for tests, has none and
// knows fewer faults. Storms of load (package coordsim) go into Kafka, and a
// ledger keeps what was acknowledged. Callers write through the API of whichever
// worker lives, send each request again until it is answered, and some after that;
// they keep what they were told. A coordinator reads the commands that come of it
// and plays the runs. Faults of 28 kinds strike every second or
// so; a seed chooses them. Meanwhile retention removes runs and parts of runs, so that
// what is late or repeated meets what is gone. In the end everything is mended, the workers take what
// is left and ask and publish what they owe, and package checker, which shares no
// code with the service, reads all of it. Package sabotage proves that it can see.
//
//	soak.go        a soak from beginning to end    summary.go   what came of it
//	world.go       the servers                     worker.go    the service
//	load.go        storms, senders, ledger         faultproxy   cut, slow, and the COMMIT that is never answered
//	callers.go     who writes through the API      calls.go     what they ask, until it is answered
//	coordinator.go the runs that were asked for    quiet.go     what keeps the service quiet, and the end of what it says by itself
//	retention.go   what the workers remove meanwhile
//	fault.go       faults, and when they strike
//	faultsworker.go faultspostgres.go failover.go faultsredis.go faultskafka.go
//
// A soak fails when something was lost, doubled or wrong, when a kind of fault
// never happened, when a worker died that nobody killed, or when what is left is
// not taken. It ends by itself, failed, when a partition stops, when the service
// stands still, and when the faults were not all there after four times their
// time, and at least ten minutes more than it. What strikes at that time has three
// minutes to be mended; else nothing is judged, and the soak ends with an error. What
// the processes are at the moment of a fault is not repeated by a seed.
package soak
