package node

import (
	"sync"
	"time"

	"anteroom/rendezvous/wire"
)

const (
	// maxTests is how often a guest may test their connection on one channel.
	maxTests = 16

	// testedFor is how long a test is remembered: it says something about the
	// network that its guest was in.
	testedFor = 7 * 24 * time.Hour
)

// A PathTest is how a call would go from where a guest last tried.
type PathTest struct {
	Path wire.PathResult
	At   time.Time
}

// pathTests are the last of each guest, in memory: a node that starts again has
// forgotten them, and no table says who tested what and when.
type pathTests struct {
	mu sync.Mutex
	of map[wire.MemberID]PathTest
}

func (t *pathTests) add(m wire.MemberID, path wire.PathResult, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = make(map[wire.MemberID]PathTest)
	}
	t.of[m] = PathTest{path, now}
}

func (t *pathTests) get(m wire.MemberID) (PathTest, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.of[m]
	return last, ok
}

func (t *pathTests) forgetBefore(when time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for m, last := range t.of {
		if last.At.Before(when) {
			delete(t.of, m)
		}
	}
}

// Tested returns the last test of a guest's connection, if there was one.
func (n *Node) Tested(m wire.MemberID) (PathTest, bool) { return n.tests.get(m) }
