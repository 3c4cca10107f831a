package discovery

import "sync"

// AddressesChanged returns a channel that ticks when this node's addresses
// have changed, at most one tick waiting, while Run runs. stop ends it.
func (d *Discovery) AddressesChanged() (changed <-chan struct{}, stop func()) { return d.moved.watch() }

// PeersConnected is the same for nodes that the operator named: it ticks when
// one has connected.
func (d *Discovery) PeersConnected() (met <-chan struct{}, stop func()) { return d.met.watch() }

// watchers are told that something has changed.
type watchers struct {
	mu    sync.Mutex
	ticks map[chan struct{}]bool
}

func (w *watchers) watch() (ticks <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ticks == nil {
		w.ticks = make(map[chan struct{}]bool)
	}
	w.ticks[c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.ticks, c)
	}
}

func (w *watchers) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.ticks {
		tick(c)
	}
}
