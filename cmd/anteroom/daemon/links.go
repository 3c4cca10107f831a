package daemon

import (
	"net/url"

	"anteroom/cmd/anteroom/config"
)

// linkBase returns the origin in the links that are handed out: the first of
// the node's own public one, its front node's, and the page on this computer;
// and whether what begins with it works on this computer only.
func linkBase(plan config.Plan, here string) (links string, local bool) {
	for _, u := range []*url.URL{plan.Public, plan.Front} {
		if u != nil {
			return u.String(), config.IsLoopbackHost(u.Hostname())
		}
	}
	return here, true
}

// origin is u, or empty if there is none.
func origin(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}
