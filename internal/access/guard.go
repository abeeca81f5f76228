package access

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Config is where it is said who may call.
type Config struct {
	File         string // the access file; empty: nobody is asked, and the API is served on loopback only
	CertFile     string // PEM certificate of the server, with its chain; empty: no TLS
	KeyFile      string // PEM key of that
	ClientCAFile string // PEM authorities of client certificates; empty: tokens only

	Every time.Duration // between two looks at the files; zero: 5 seconds
	Log   zerolog.Logger

	Now   func() time.Time     // nil: time.Now
	Files *protoregistry.Files // descriptors of our services; nil: those linked in
}

const defaultEvery = 5 * time.Second

// Guard judges calls. Make it with Open; its methods may be called from any
// goroutine.
type Guard struct {
	procedures map[string]Procedure
	allowed    *reloaded[*allowed]    // nil: nobody is asked
	tls        *reloaded[*tls.Config] // nil: no TLS
	every      time.Duration
	now        func() time.Time
	log        zerolog.Logger
	refusals   zerolog.Logger // a few a second: anybody can cause them

	mu     sync.Mutex
	again  chan struct{} // closed when the files have been read again
	alarms map[string]string
}

// Open reads the files. The error names the setting; that of an access file
// with mistakes is Problems.
func Open(cfg Config) (*Guard, error) {
	g := &Guard{
		every: cfg.Every, now: cfg.Now, log: cfg.Log.With().Str("component", "access").Logger(),
		again: make(chan struct{}), alarms: make(map[string]string),
	}
	g.refusals = g.log.Sample(&zerolog.BurstSampler{Burst: 5, Period: time.Second})
	if g.every <= 0 {
		g.every = defaultEvery
	}
	if g.now == nil {
		g.now = time.Now
	}
	files := cfg.Files
	if files == nil {
		files = protoregistry.GlobalFiles
	}
	g.procedures = rules(files)
	var err error
	if cfg.File != "" {
		if g.allowed, err = load("access-file "+cfg.File, []string{cfg.File}, parseAllowed); err != nil {
			return nil, err
		}
	}
	if g.tls, err = loadTLS(cfg); err != nil {
		return nil, err
	}
	return g, nil
}

// Watch reads the files again every so often, until ctx ends.
func (g *Guard) Watch(ctx context.Context) {
	ticker := time.NewTicker(g.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.Reload()
		}
	}
}

// Reload reads the files again, now. What fails is logged, once, and told by
// Current; what was read before holds on. Streams under way are judged anew.
func (g *Guard) Reload() {
	if g.allowed != nil {
		changed, err := g.allowed.refresh()
		if g.report(g.allowed.what, changed, err) {
			g.log.Info().Int("entries", len(g.allowed.current().entries)).Msg("the access file was read again and holds from now on")
		}
	}
	if g.tls != nil {
		changed, err := g.tls.refresh()
		if g.report(g.tls.what, changed, err) {
			g.log.Info().Msg("the certificates were read again and hold for new connections")
		}
	}
	g.mu.Lock()
	close(g.again)
	g.again = make(chan struct{})
	g.mu.Unlock()
}

// report logs an error when it is new, and tells whether there is news of
// another kind.
func (g *Guard) report(what string, changed bool, err error) (news bool) {
	var text string
	if err != nil {
		text = err.Error()
	}
	g.mu.Lock()
	before := g.alarms[what]
	g.alarms[what] = text
	g.mu.Unlock()
	if err != nil && text != before {
		g.log.Error().Err(err).Msg("cannot be used; what was read before holds on")
	}
	return changed || err == nil && before != ""
}

// Current is nil while the files in use are those that are there, for
// readiness.
func (g *Guard) Current(context.Context) error {
	var failed []error
	if g.allowed != nil {
		failed = append(failed, g.allowed.failed())
	}
	if g.tls != nil {
		failed = append(failed, g.tls.failed())
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("what was read before holds on: %w", err)
	}
	return nil
}

func (g *Guard) nextReload() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.again
}

// door is how callers are told apart on one listener. Both methods return a
// refusal or nil.
type door struct {
	show     func(*http.Request) (credential, *refusal)
	identify func(credential) (Caller, *refusal)
}

// doorAt decides how callers are told apart on a listener.
func (g *Guard) doorAt(at net.Addr) door {
	sites := http.NewCrossOriginProtection()
	switch {
	case g.allowed != nil:
		return door{
			show: func(r *http.Request) (credential, *refusal) {
				c, refused := show(r)
				if refused == nil && c.certificate { // a browser shows it for whatever page asks it to
					refused = sameSite(sites, r)
				}
				return c, refused
			},
			identify: func(c credential) (Caller, *refusal) { return g.allowed.current().identify(c, g.now()) },
		}
	case isLoopback(at):
		return door{
			show: func(r *http.Request) (credential, *refusal) {
				refused := fromThisMachine(r)
				if refused == nil {
					refused = sameSite(sites, r)
				}
				return credential{}, refused
			},
			identify: func(credential) (Caller, *refusal) { return Caller{Name: Anonymous, Role: Operator}, nil },
		}
	default:
		return door{show: func(*http.Request) (credential, *refusal) { return credential{}, closed(at) }}
	}
}

// announce says how callers are told apart on a listener, loudly where they
// are not.
func (g *Guard) announce(at net.Addr) {
	local := isLoopback(at)
	switch {
	case g.allowed != nil:
		g.log.Info().Stringer("listen", at).Int("entries", len(g.allowed.current().entries)).Bool("tls", g.tls != nil).Msg("the API asks who calls")
		if g.tls == nil && !local {
			g.log.Warn().Stringer("listen", at).Msg("tokens travel in clear text: set http-tls-cert-file, or let a proxy speak TLS")
		}
		if n := len(g.allowed.current().certificates); n > 0 && (g.tls == nil || g.tls.current().ClientCAs == nil) {
			g.log.Warn().Int("entries", n).Msg("the access file lists certificates, which nobody can show: set http-tls-client-ca-file")
		}
	case local:
		g.log.Warn().Stringer("listen", at).Msg("the API asks nobody who they are: everybody on this machine is an operator. Set access-file to change that")
	default:
		g.log.Warn().Stringer("listen", at).Msg(closed(at).text)
	}
}

// sameSite refuses what the page of another site sent through a browser that
// is let in without showing a token. Reading is not refused: the page does not
// get the answer.
func sameSite(sites *http.CrossOriginProtection, r *http.Request) *refusal {
	if err := sites.Check(r); err != nil {
		return denied(ReasonCrossOrigin, "the page of another site sent this: call with a token instead", nil)
	}
	return nil
}

// enter judges a request: who calls, and whether they may do that.
func (d door) enter(r *http.Request, p Procedure) (credential, Caller, *refusal) {
	c, refused := d.show(r)
	if refused != nil {
		return c, Caller{}, refused
	}
	caller, refused := d.identify(c)
	if refused == nil {
		refused = p.admit(caller)
	}
	return c, caller, refused
}

// API guards what is served on a listener at this address, which is asked for
// because without an access file only loopback is served; the log says what
// holds. What is called must be one of our procedures, of health or of
// reflection, by the path of the URL, or one of the pages: a path, or whatever
// lies under one that ends in a slash. Any role may have those.
func (g *Guard) API(at net.Addr, next http.Handler, pages ...string) http.Handler {
	g.announce(at)
	d, errorWriter := g.doorAt(at), connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if openProcedures[r.URL.Path] {
			next.ServeHTTP(w, r)
			return
		}
		p, known := g.procedures[r.URL.Path]
		page := !known && isPage(r.URL.Path, pages)
		if !known {
			p = anyRole // of what does not exist, too: a stranger is asked first who they are
		}
		c, caller, refused := d.enter(r, p)
		if refused == nil && !known && !page {
			refused = &refusal{code: connect.CodeUnimplemented, reason: ReasonNoProcedure, text: "there is no such procedure: ask reflection, or see the API's description"}
		}
		if refused != nil {
			g.logRefusal(r, refused, known)
			refused.challenge(w)
			if page {
				refused.page(w)
			} else {
				_ = errorWriter.Write(w, r, refused.wire()) // the only error is a client that went away
			}
			return
		}
		ctx := WithCaller(r.Context(), caller)
		if p.Streams {
			var end context.CancelCauseFunc
			ctx, end = context.WithCancelCause(ctx)
			defer end(nil)
			go g.judgeAgain(ctx, end, d, c, p)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// isPage tells whether a path is one of the pages or lies under one of them. A
// path with detours is none: where it leads is the next handler's to say.
func isPage(asked string, pages []string) bool {
	if clean := path.Clean(asked); asked != clean && asked != clean+"/" {
		return false
	}
	return slices.ContainsFunc(pages, func(page string) bool {
		return asked == page || strings.HasSuffix(page, "/") && strings.HasPrefix(asked, page)
	})
}

// judgeAgain ends a stream whose caller may no longer have it.
func (g *Guard) judgeAgain(ctx context.Context, end context.CancelCauseFunc, d door, c credential, p Procedure) {
	for {
		next := g.nextReload() // before it is judged, so that none is missed
		caller, refused := d.identify(c)
		if refused == nil {
			refused = p.admit(caller)
		}
		if refused != nil {
			end(refused)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}

// logRefusal keeps to what we know the form of: a stranger shall not write our
// log.
func (g *Guard) logRefusal(r *http.Request, refused *refusal, known bool) {
	event := g.refusals.Warn().Str("reason", refused.reason).Str("from", r.RemoteAddr)
	if known {
		event = event.Str("procedure", r.URL.Path)
	}
	for key, value := range refused.metadata {
		if key != "procedure" {
			event = event.Str(key, value)
		}
	}
	event.Msg("call refused")
}
