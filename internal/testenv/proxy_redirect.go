package testenv

// Redirect cuts all connections and lets the address lead to another server, as
// a failover does.
func (p *NetworkProxy) Redirect(server string) {
	p.Helper()
	p.proxy.Stop()
	p.proxy.Upstream = server
	p.Heal()
}
