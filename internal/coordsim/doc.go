// Package coordsim is a simulated test coordinator: it makes the records that a
// real one would send, and sends them to a Kafka.
//
// What it makes is a pure function of Options: the same seed, instance and start
// give the same records, byte by byte. Each play tells beforehand in which
// status its runs must end, and how many records must be applied, recognised as
// duplicates and quarantined for which reason, so that a demo or a test can hold
// the service against it. Sending is apart, in producer.go, and what was
// acknowledged is kept in a ledger.
//
//	simulation.go   the plays together: what is sent, and what must come of it
//	script.go       one play: what it says, and when that arrives
//	run.go          one run of a coordinator, event by event
//	plays.go, definitions.go, malformed.go    the plays
//	load.go         generated load          recording.go    recorded events
//	storm.go        load without end in which everything goes wrong
//	producer.go     to Kafka                ledger.go       what was acknowledged
//
// It speaks the contract and knows nothing of how the service stores or decides:
// of the service's packages it uses only the wire form and the words.
package coordsim
