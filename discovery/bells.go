package discovery

import "sync"

// AddressesChanged returns a channel that ticks when this node's addresses
// have changed, at most one tick waiting, while Run runs. stop ends it.
func (d *Discovery) AddressesChanged() (changed <-chan struct{}, stop func()) { return d.moved.watch() }

// PeersConnected is the same for nodes that the operator named: it ticks when
// one has connected.
func (d *Discovery) PeersConnected() (met <-chan struct{}, stop func()) { return d.met.watch() }

// bells ring for those who watch.
type bells struct {
	mu       sync.Mutex
	watchers map[chan struct{}]bool
}

func (b *bells) watch() (ticks <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watchers == nil {
		b.watchers = make(map[chan struct{}]bool)
	}
	b.watchers[c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, c)
	}
}

func (b *bells) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.watchers {
		tick(c)
	}
}
