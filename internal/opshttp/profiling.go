package opshttp

import (
	"net"
	"net/http"
	"net/http/pprof"
)

// profiling is the handler of /debug/pprof/, for callers on the same machine
// only: a profile shows addresses and command lines, and taking one costs time.
func profiling() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The host that was asked for is looked at too, because a proxy on this
		// machine is a caller on this machine.
		if !isLoopback(r.RemoteAddr) || !isLoopback(r.Host) {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// isLoopback takes an address with or without a port.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
