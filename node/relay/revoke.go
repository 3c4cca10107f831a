package relay

import "time"

// granted is what a table remembers of credentials. These say by the clock when
// they were issued and when they end, for they outlast the process. A clock that
// is wrong for a while must not bring back what was revoked: so whatever comes
// later is issued later, and nothing is forgotten before the computer's own
// count, which now returns, agrees.
type granted struct {
	newest  int64                 // when anything was issued or revoked last, as grants have it
	latest  time.Time             // when all of it has ended, by the clock
	last    int64                 // and by the count
	revoked map[string]revocation // by the tag of a call or a seat
}

// A revocation is of what was issued until then. It may be forgotten once all
// that was granted before has ended.
type revocation struct {
	issued int64
	latest time.Time
	last   int64
}

// issue returns when g is issued: after everything before.
func (r *granted) issue(g grant, clock time.Time, now int64) int64 {
	r.newest = max(r.newest+1, clock.UnixNano())
	if g.until.After(r.latest) {
		r.latest = g.until
	}
	r.last = max(r.last, now+int64(g.until.Sub(clock)))
	return r.newest
}

// revoke remembers a tag for as long as anything lasts that was granted.
func (r *granted) revoke(tag string, clock time.Time, now int64) {
	for tag, old := range r.revoked {
		if clock.After(old.latest) && now > old.last {
			delete(r.revoked, tag)
		}
	}
	r.newest = max(r.newest, clock.UnixNano())
	r.revoked[tag] = revocation{r.newest, r.latest, r.last}
}

func (r *granted) isRevoked(g grant) bool {
	return g.issued <= r.revoked[g.call].issued || g.issued <= r.revoked[g.seat].issued
}
