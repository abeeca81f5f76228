// Package examples holds definitions that show the definition language: what
// the demonstration plays and what the tests of package scenario read. It is
// text only and knows nothing of how it is parsed.
package examples

import _ "embed"

// MarketDisruption is a scenario with a baseline, an injection and a recovery.
//
//go:embed market-disruption.yaml
var MarketDisruption string

// StablecoinDepeg is a scenario of 36 hours with delayed parallel actions.
//
//go:embed stablecoin-depeg.yaml
var StablecoinDepeg string

// ExchangeDisruption is a template; it needs the parameters exchange and
// duration.
//
//go:embed exchange-disruption.yaml
var ExchangeDisruption string

// ExchangeOutage is a scenario that extends ExchangeDisruption, published as
// template "exchange-disruption", and has its own recovery.
//
//go:embed exchange-outage.yaml
var ExchangeOutage string

// RestartRiskMonitor is a scenario in JSON.
//
//go:embed restart-risk-monitor.json
var RestartRiskMonitor string

// LegacyLatency is an opaque definition: free JSON, as older tools write it.
//
//go:embed legacy-latency.json
var LegacyLatency string
