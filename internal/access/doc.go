// Package access says who may call which procedure of the API. Nobody may
// unless a rule lets them.
//
// What a procedure does (read, write, operate) stands beside it in the proto
// files, as the option (access); a procedure without it may be called by
// nobody. What a role may do is in roles.go. Who has which role is in the
// access file, which names callers by the hash of a token or by the name in a
// client certificate:
//
//   - {name: coordinator-1, role: coordinator, sha256: 3f1a.., expires: 2027-01-01T00:00:00Z}
//   - {name: console, role: reader, certificate: "spiffe://trading/console"}
//
// The file, and those of TLS, are read again every few seconds, so that a
// caller is let in or thrown out without a restart. A new file that is broken
// changes nothing and raises an alarm in the log and in /readyz. It should be
// replaced by a rename, because one that is half written may be whole YAML.
//
// # Where a call is judged
//
// Guard.API stands before the Connect handlers, as HTTP middleware: Connect
// decompresses and decodes a request before it asks an interceptor, which is
// more than a stranger should have done for them, and it does not show
// interceptors the client certificate. Guard.Interceptor is the second line: a
// handler that was mounted without the guard refuses everybody.
//
// A stream is judged when it begins and again whenever the files are read: that
// of a caller who was removed, whose token or certificate expired, or whose
// role may no longer call it ends with the error that a new call would get. One
// that waits for its client's next message, as reflection does, ends with that.
// Everything else that is under way is finished.
//
// # Without an access file
//
// The API is then served on loopback addresses only, where every caller is
// anonymous and an operator; the log says so at the start. No setting opens it
// anywhere else: listening on another address, which is the default for the
// sake of health and metrics, leaves those open and answers every call of the
// API with the two settings that would change it. On loopback the Host header
// must be one too, and nothing may say that a proxy passed the request on or
// that the page of another site sent it: a web page reaches loopback through
// the browser of whoever looks at it.
//
// # Left out
//
// OpenID Connect. It would be a library, a provider that must be up, keys that
// rotate and a mapping of claims to roles, for callers that are programs and
// have tokens or certificates; people who need it have a proxy that speaks it.
package access
