package config

import (
	"strings"
	"testing"
)

// TestCollisions: what cannot listen beside something else, and what can.
func TestCollisions(t *testing.T) {
	public := func(c *Config) {
		c.HTTP.PublicURL = "https://call.example"
		c.HTTP.TLS.Mode, c.HTTP.TLS.CertFile, c.HTTP.TLS.KeyFile = TLSFiles, "/c.pem", "/k.pem"
	}
	for name, c := range map[string]struct {
		set  func(*Config)
		want string // the key that is told of; empty: none
	}{
		"defaults":         {func(*Config) {}, ""},
		"defaults, public": {public, ""},
		"localhost and loopback": {func(c *Config) {
			public(c)
			c.HTTP.Listen = []string{"localhost:443"}
			c.HTTP.PublicListen = []string{"127.0.0.1:443"}
		}, "http.public_listen[0]"},
		"localhost and IPv6": {func(c *Config) {
			public(c)
			c.HTTP.Listen = []string{"localhost:443"}
			c.HTTP.PublicListen = []string{"[::1]:443"}
		}, "http.public_listen[0]"},
		"localhost and all": {func(c *Config) { public(c); c.HTTP.Listen = []string{"localhost:443"} }, "http.public_listen[0]"},
		"localhost and another": {func(c *Config) {
			public(c)
			c.HTTP.Listen = []string{"localhost:443"}
			c.HTTP.PublicListen = []string{"203.0.113.9:443"}
		}, ""},
		"localhost and itself":    {func(c *Config) { c.HTTP.Listen = []string{"localhost:7600", "127.0.0.1:7600"} }, "http.listen[1]"},
		"all of either family":    {func(c *Config) { public(c); c.HTTP.PublicListen = []string{"0.0.0.0:443", "[::]:443"} }, "http.public_listen[1]"},
		"redirect":                {func(c *Config) { public(c); c.HTTP.RedirectListen = "127.0.0.1:443" }, "http.redirect_listen"},
		"relay":                   {func(c *Config) { public(c); c.Relay.Listen = []string{":443"} }, "relay.listen[0]"},
		"relay, either family":    {func(c *Config) { public(c); c.Relay.Listen = []string{"0.0.0.0:3478", "[::]:3478"} }, ""},
		"no relay":                {func(c *Config) { c.Relay.Listen = []string{":7600"} }, ""},
		"nodes and relay":         {func(c *Config) { public(c); c.Discovery.Listen = []string{"/ip4/0.0.0.0/udp/3478/quic-v1"} }, "discovery.listen[0]"},
		"nodes and page":          {func(c *Config) { c.Discovery.Listen = []string{"/ip4/127.0.0.1/tcp/7600"} }, "discovery.listen[0]"},
		"nodes beside page":       {func(c *Config) { c.Discovery.Listen = []string{"/ip4/127.0.0.1/udp/7600/quic-v1"} }, ""},
		"nodes, either family":    {func(c *Config) { c.Discovery.Listen = []string{"/ip4/0.0.0.0/tcp/7601", "/ip6/::/tcp/7601"} }, ""},
		"nodes, within all":       {func(c *Config) { c.Discovery.Listen = []string{"/ip4/0.0.0.0/tcp/7601", "/ip4/127.0.0.1/tcp/7601"} }, "discovery.listen[1]"},
		"any free port, and more": {func(c *Config) { c.HTTP.Listen = []string{"localhost:0", "127.0.0.1:0"} }, ""},
	} {
		cfg := Default()
		cfg.DataDir = "/d"
		c.set(&cfg)
		_, err := cfg.Plan()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.HasPrefix(err.Error(), c.want+": listens at port ")):
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
