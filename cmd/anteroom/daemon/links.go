package daemon

import (
	"net/url"

	"anteroom/cmd/anteroom/config"
)

// linkBase returns the origin in the links that are handed out: the first of
// the node's own public one, its front node's, and the page on this computer.
func linkBase(cfg config.Config, here string) string {
	switch {
	case cfg.HTTP.PublicURL != "":
		return cfg.HTTP.PublicURL
	case cfg.Practice.FrontURL != "":
		return cfg.Practice.FrontURL
	}
	return here
}

// isLocal reports whether what begins with links works on this computer only.
func isLocal(links string) bool {
	u, err := url.Parse(links)
	return err == nil && config.IsLoopbackHost(u.Hostname())
}
