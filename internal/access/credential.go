package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
)

// credential is what a caller has shown. It is kept as long as the call lasts,
// so that it can be judged again; the token itself is not.
type credential struct {
	digest  Digest // of what stands for a token
	malform string // what is wrong with it; empty: it has a token's form

	certificate bool // that instead of a token
	names       []string
	notAfter    time.Time
}

// show is the credential of a request. A token goes before a certificate, and
// a wrong one is not saved by it: who sends one means it.
func show(r *http.Request) (credential, *refusal) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return credential{}, missing()
		}
		leaf := r.TLS.VerifiedChains[0][0]
		return credential{certificate: true, names: certificateNames(leaf), notAfter: leaf.NotAfter}, nil
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token = strings.Trim(token, " ")
	c := credential{digest: sha256.Sum256([]byte(cut(token, tokenLength+1)))}
	switch {
	case len(headers) > 1:
		c.malform = "there is more than one Authorization header: send one"
	case !strings.EqualFold(scheme, "Bearer"):
		c.malform = "the Authorization header is of another scheme: send Authorization: Bearer TOKEN"
	case !isToken(token):
		c.malform = "the Authorization header holds no token of this service: send Authorization: Bearer TOKEN, with a token that tcda access token made"
	}
	return c, nil
}

// certificateNames are all by which a certificate may be listed.
func certificateNames(leaf *x509.Certificate) []string {
	var names []string
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	names = append(names, leaf.DNSNames...)
	if leaf.Subject.CommonName != "" {
		names = append(names, leaf.Subject.CommonName)
	}
	return names
}

// allowed is an access file, ready for use.
type allowed struct {
	entries      []Entry
	tokens       []Entry
	certificates map[string]Entry
}

func parseAllowed(contents [][]byte) (*allowed, error) {
	entries, err := Parse(contents[0])
	if err != nil {
		return nil, err
	}
	a := &allowed{entries: entries, certificates: make(map[string]Entry)}
	for _, e := range entries {
		if e.Certificate != "" {
			a.certificates[e.Certificate] = e
		} else {
			a.tokens = append(a.tokens, e)
		}
	}
	return a, nil
}

// identify finds whose credential it is, at this time.
func (a *allowed) identify(c credential, now time.Time) (Caller, *refusal) {
	if c.certificate {
		return a.byCertificate(c, now)
	}
	return a.byToken(c, now)
}

// byToken compares with every entry, whatever comes of each: how long it takes
// tells neither whether a token is known nor which one comes near it. A
// malformed one costs the same.
func (a *allowed) byToken(c credential, now time.Time) (Caller, *refusal) {
	at := -1
	for i := range a.tokens {
		same := subtle.ConstantTimeCompare(a.tokens[i].Digest[:], c.digest[:])
		at = subtle.ConstantTimeSelect(same, i, at)
	}
	switch {
	case c.malform != "":
		return Caller{}, unauthenticated(ReasonMalformed, c.malform)
	case at < 0:
		return Caller{}, unauthenticated(ReasonUnknown,
			"the token is not, or no longer, in the access file of this server: have one made with tcda access token and its entry added")
	}
	return a.tokens[at].caller(now)
}

func (a *allowed) byCertificate(c credential, now time.Time) (Caller, *refusal) {
	// The handshake has looked at this; a connection may outlive it by days.
	if now.After(c.notAfter) {
		return Caller{}, unauthenticated(ReasonExpired, "the client certificate has expired: connect with a new one")
	}
	var found []Entry
	for _, name := range c.names {
		e, listed := a.certificates[name]
		// A certificate may bear a name twice: as common name and as SAN.
		if listed && !slices.ContainsFunc(found, func(f Entry) bool { return f.Certificate == name }) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		names := strings.Join(c.names, ", ")
		return Caller{}, denied(ReasonNotListed,
			fmt.Sprintf("none of the names in the client certificate (%s) is in the access file of this server: have an entry with certificate and role added", names),
			map[string]string{"names": names})
	case 1:
		return found[0].caller(now)
	default: // neither is more right than the other
		return Caller{}, denied(ReasonAmbiguous,
			fmt.Sprintf("the client certificate fits more than one entry of the access file (%s and %s): have all but one removed", found[0].Certificate, found[1].Certificate), nil)
	}
}

func (e Entry) caller(now time.Time) (Caller, *refusal) {
	if e.Expired(now) {
		return Caller{}, unauthenticated(ReasonExpired,
			fmt.Sprintf("what the access file says of %s held until %s: have a new token made with tcda access token", e.Name, e.Expires.Format(time.RFC3339)))
	}
	return Caller{Name: e.Name, Role: e.Role}, nil
}

// fromThisMachine refuses what reached a loopback address and may all the same
// have been sent by somebody elsewhere: through a proxy, or through a browser
// on this machine that shows a page whose name leads here.
func fromThisMachine(r *http.Request) *refusal {
	local := isLoopbackHost(r.Host)
	for _, header := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		local = local && len(r.Header.Values(header)) == 0
	}
	if local {
		return nil
	}
	return denied(ReasonNotLocal,
		"without an access file the API serves this machine only, called by localhost or a loopback address and without a proxy: set access-file", nil)
}

func isLoopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isLoopback tells whether only this machine reaches a listener's address.
func isLoopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// closed is the answer where the API is not served.
func closed(at net.Addr) *refusal {
	return &refusal{
		code: connect.CodePermissionDenied, reason: ReasonNotConfigured,
		text: fmt.Sprintf("the API is not served on %s: nobody has said who may call it. Set access-file, or http-listen to a loopback address such as 127.0.0.1:8080", at),
	}
}
