package relay

import (
	"testing"

	"github.com/pion/turn/v5"
)

// TestRequestsForWhatIsGone: who asks about an allocation that has ended hears
// so at once, and so does who asks with credentials that are not its own.
func TestRequestsForWhatIsGone(t *testing.T) {
	g := start(t, Config{Limits: Limits{Replies: 10_000}}, nil)
	for _, transport := range []string{"udp4", "udp6", "tcp4", "tls4"} {
		s := g.seat(t, transport, g.newSeat("call", later()))
		must(t, "allocate", s.allocate(), 0)
		peer := s.relayed
		all := func(want int) {
			t.Helper()
			must(t, transport+" permit", s.permit(peer), want)
			must(t, transport+" bind", s.bind(0x4000, peer), want)
			must(t, transport+" refresh", s.refresh(600), want)
		}
		all(0)
		own, key := s.user, s.key
		other := g.newSeat("call", later())
		s.user = other.Username
		s.key = turn.GenerateAuthKey(s.user, s.realm, other.Password.Reveal())
		all(441)
		s.user, s.key = own, key
		must(t, "end", s.refresh(0), 0)
		all(437)
		s.key = turn.GenerateAuthKey(s.user, s.realm, "wrong")
		all(400)
	}
}
