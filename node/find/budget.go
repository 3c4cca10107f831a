package find

import (
	"net/netip"

	"golang.org/x/time/rate"

	"anteroom/node/admit"
)

// Searches says how many links that no home node has told of are looked for in
// a second. Zero values stand for DefaultSearches.
type Searches struct {
	All     int
	Network int // of one IPv4 /24 or IPv6 /56
}

// DefaultSearches are for a machine of two cores. Such links are of guests of
// nodes that do not tell, or of what nobody can open any more. All of them, a
// second's and what may come at once, are fewer than a node of an older version
// answers another.
var DefaultSearches = Searches{All: 10, Network: 1}

// atOnce is how many seconds' worth whoever has waited may have at once: of all
// together, and of a network.
const atOnce, atOnceNetwork = 2, 10

// A budget bounds what is spent on keys that anybody may have made up.
type budget struct {
	all  *rate.Limiter
	each *admit.Rate
}

func newBudget(s Searches) *budget {
	if s.All == 0 {
		s.All = DefaultSearches.All
	}
	if s.Network == 0 {
		s.Network = DefaultSearches.Network
	}
	return &budget{rate.NewLimiter(rate.Limit(s.All), atOnce*s.All), admit.NewRate(s.Network, atOnceNetwork*s.Network)}
}

// Searched returns how much of a second's worth of Searches is used up now.
func (f *Finder) Searched() int {
	all := f.budget.all
	return min(max(all.Burst()-int(all.Tokens()), 0), all.Burst()/atOnce)
}

// allow reports whether one more may be looked for. Those whose address is not
// known are all of one network, which has no more than all have.
func (s *budget) allow(from netip.Addr) bool {
	if from.IsValid() && !from.IsUnspecified() && !s.each.Take(from) {
		return false // first, so that one network's haste costs others nothing
	}
	return s.all.Allow()
}
