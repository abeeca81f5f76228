package opshttp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Check is one thing that readiness rests on.
type Check struct {
	Name     string
	Critical bool          // without it the service cannot do its work
	Timeout  time.Duration // a check that takes longer has failed; zero means one second

	// Probe is nil when all is well. It ends when its context does. Its error's
	// text is shown to whoever asks, so it must hold no secret.
	Probe func(context.Context) error
}

// Status is how the service is, as a word.
type Status string

// What the service, or one check of it, may be.
const (
	OK          Status = "ok"
	Degraded    Status = "degraded"    // it works, with something missing
	Unavailable Status = "unavailable" // it cannot do its work
)

// Report is the body of an answer about health.
type Report struct {
	Status Status   `json:"status"`
	Checks []Result `json:"checks"`
}

// Result is what one check found.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail,omitempty"` // why it is not ok
}

const defaultTimeout = time.Second

// live tells that the process answers. It asks no check: a process must not be
// killed because its database is away.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	answer(w, Report{Status: OK, Checks: []Result{}})
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	answer(w, ask(r.Context(), s.checks))
}

// ask runs all checks at once and sums them up.
func ask(ctx context.Context, checks []Check) Report {
	report := Report{Status: OK, Checks: make([]Result, len(checks))}
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { report.Checks[i] = check.run(ctx) })
	}
	wg.Wait()
	for _, result := range report.Checks {
		switch {
		case result.Status == Unavailable:
			report.Status = Unavailable
		case result.Status == Degraded && report.Status == OK:
			report.Status = Degraded
		}
	}
	return report
}

// run does not wait longer than the timeout even for a probe that ignores its
// context.
func (c Check) run(ctx context.Context) Result {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	outcome := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				outcome <- fmt.Errorf("check panicked: %v", p)
			}
		}()
		outcome <- c.Probe(ctx)
	}()

	var err error
	select {
	case err = <-outcome:
	case <-ctx.Done():
		err = fmt.Errorf("no answer within %s", timeout)
	}
	result := Result{Name: c.Name, Status: OK}
	if err != nil {
		result.Detail = err.Error()
		result.Status = Degraded
		if c.Critical {
			result.Status = Unavailable
		}
	}
	return result
}

func answer(w http.ResponseWriter, report Report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if report.Status == Unavailable {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(report) // the only error is a client that went away
}
