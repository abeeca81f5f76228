// Package api serves the domain over the wire: the services of schema/proto as
// Connect (plain HTTP with JSON), gRPC and gRPC-Web, with reflection, gRPC
// health and the OpenAPI document beside them.
//
// A procedure is one method of a handler, and a handler is one file a service.
// It maps messages to the domain's types and back, and does nothing else: what
// a write means is decided and done by package command, in one transaction;
// reads come from the stores.
//
//	server.go    the mux, interceptors, limits
//	write.go     procedures that write: once for each request id
//	validate.go  the rules of the .proto files
//	failure.go   errors -> Connect codes with reason, field and rule
//	streams.go   how long streams last, and how they end
//	pages.go     opaque tokens of keyset pages
//	openapi.go   the OpenAPI document, and a page that shows it without the network
//
// The package knows no SQL, no Kafka and no Redis, and no error leaves it that
// failure.go has not seen: an unknown one is logged here, and "internal" there.
package api
