package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Client is how a command reaches the API of a running service. It is no part
// of Config: the service has no use for it, and config print shows what serve
// would use. Its settings come from flags and from the environment (the tag
// variable, with EnvPrefix before it), not from the file with the service's.
// Embed it in a command and give kong what ClientSources returns.
type Client struct {
	URL       URL           `name:"api" variable:"API" default:"http://localhost:8080" placeholder:"URL" help:"Where the API is served: http:// or https://host:port."`
	Token     Secret        `variable:"API_TOKEN" placeholder:"TOKEN" help:"Token to be known by. Others can read a flag in the list of processes: better the variable, or a file."`
	TokenFile string        `variable:"API_TOKEN_FILE" placeholder:"PATH" help:"File that holds the token, instead."`
	CAFile    string        `name:"ca-file" variable:"API_CA_FILE" placeholder:"PATH" help:"PEM certificates to trust; the system's if empty."`
	CertFile  string        `variable:"API_CERT_FILE" placeholder:"PATH" help:"PEM client certificate, for mutual TLS."`
	KeyFile   string        `variable:"API_KEY_FILE" placeholder:"PATH" help:"PEM key of the client certificate."`
	Timeout   time.Duration `variable:"API_TIMEOUT" default:"30s" help:"How long one call may take; what is followed or watched has no limit."`
}

// ClientSources are the options with which kong fills a Client from the
// environment: a flag wins over it, an empty variable counts as not set.
func ClientSources(lookupEnv func(string) (string, bool)) []kong.Option {
	return []kong.Option{kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if name := clientVariable(flag.Value); name != "" {
			if value, _ := lookupEnv(name); value != "" {
				return value, nil
			}
		}
		return nil, nil //nolint:nilnil // kong's way to say that a resolver has no value
	}))}
}

// clientVariable is the environment variable of a flag of Client, and empty for
// any other.
func clientVariable(v *kong.Value) string {
	if v.Tag == nil || !v.Tag.Has("variable") {
		return ""
	}
	return EnvPrefix + v.Tag.Get("variable")
}

// Dial is what Client comes to: how to speak to the API, and with which token
// (none: empty). Nothing is sent. The error, if any, is Problems: all that is
// wrong, at once.
func (c *Client) Dial() (client *http.Client, token Secret, err error) {
	var problems Problems
	wrong := func(setting, value, rule string) {
		problems = append(problems, Problem{Setting: setting, Value: value, Rule: rule})
	}
	at, err := url.Parse(c.URL.Reveal())
	ok := err == nil && slices.Contains([]string{"http", "https"}, at.Scheme) && at.Host != "" && at.User == nil && at.RawQuery == "" && at.Fragment == ""
	if !ok {
		wrong("api", c.URL.String(), "must be a URL like http://localhost:8080 or https://host:8443")
	}
	if c.Timeout <= 0 {
		wrong("timeout", c.Timeout.String(), "must be more than 0s")
	}
	token = c.Token
	if c.TokenFile != "" {
		content, err := os.ReadFile(c.TokenFile)
		switch token = Secret(strings.TrimSpace(string(content))); {
		case c.Token != "":
			wrong("token-file", c.TokenFile, "must not be given together with token")
		case err != nil:
			wrong("token-file", c.TokenFile, "must name a readable file: "+err.Error())
		case token == "":
			wrong("token-file", c.TokenFile, "must hold a token")
		}
	}
	security := &tls.Config{MinVersion: tls.VersionTLS12}
	if ok && at.Scheme == "http" && c.CAFile+c.CertFile+c.KeyFile != "" {
		wrong("api", c.URL.String(), "must be https:// when certificates are given")
	}
	if c.CAFile != "" {
		if security.RootCAs, err = certificates(c.CAFile); err != nil {
			wrong("ca-file", c.CAFile, err.Error())
		}
	}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		wrong("key-file", c.KeyFile, "must be given together with cert-file")
	case c.CertFile != "":
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			wrong("cert-file", c.CertFile, "must be the PEM certificate of key-file: "+err.Error())
		}
		security.Certificates = []tls.Certificate{pair}
	}
	if len(problems) > 0 {
		return nil, "", problems
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() // it is one, unless a program replaces it
	transport.TLSClientConfig = security
	return &http.Client{Transport: transport}, token, nil
}

func certificates(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("must name a readable file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("must hold PEM certificates")
	}
	return pool, nil
}
