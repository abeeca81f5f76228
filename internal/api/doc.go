// Package api serves the domain over the wire: the services of schema/proto as
// Connect (plain HTTP with JSON), gRPC and gRPC-Web, with reflection, gRPC
// health and the OpenAPI document beside them.
//
// A procedure is one method of a handler, and a handler is one file a service.
// It maps messages to the domain's types and back, and does nothing else: what
// a write means is decided and done by package command, in one transaction;
// reads come from the stores.
//
//	server.go      the mux, interceptors, limits
//	scenarios.go   ScenarioService; its templates are in templates.go
//	schedules.go   ScheduleService; what is due is in occurrences.go
//	executions.go  ExecutionService; its lists are in executionreads.go, parts.go,
//	               timeline.go and snapshots.go, its streams in watch.go and followlogs.go
//	locks.go       LockService
//	operations.go  OperationsService
//	evidence.go    EvidenceService
//	write.go       procedures that write: once for each request id
//	validate.go    the rules of the .proto files
//	failure.go     errors -> Connect codes with reason, field and rule
//	streams.go     how long streams last, and how they end
//	pages.go       opaque tokens of keyset pages
//	messages.go    the domain's types -> messages
//	openapi.go     the OpenAPI document, a page that shows it without the network, and the schemas of reports
//
// The package knows no SQL, no Kafka and no Redis, and no error leaves it that
// failure.go has not seen: an unknown one is logged here, and "internal" there.
package api
