package discovery

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"anteroom/discovery/contacts"
	"anteroom/discovery/host"
)

// findProtocol asks a node whether it is the home of what the question names:
//
//	→ 0x01 | question[32]     ← 0x01 yes, 0x00 no
//
// "No" is one byte whatever the reason. A stranger who asks too often is told
// "no", too.
const findProtocol protocol.ID = "/anteroom/find/1"

const (
	findVersion = 1
	findTime    = 10 * time.Second // bounds one question, dialling included

	// downTime is what a peer that did not answer the last dial may take,
	// dialling included: enough to notice that it is back, and no reason for
	// the others to wait.
	downTime = time.Second
)

// SetFinder says how this node answers "is this yours?"; until then the answer
// is no. find must take the same time for yes and no.
func (d *Discovery) SetFinder(find func(question [32]byte) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finder = find
}

// answer serves one question.
func (d *Discovery) answer(_ context.Context, s network.Stream) {
	_ = s.SetDeadline(time.Now().Add(findTime))
	var request [33]byte
	if _, err := io.ReadFull(s, request[:]); err != nil || request[0] != findVersion {
		_ = s.Reset()
		return
	}
	d.mu.Lock()
	find := d.finder
	d.mu.Unlock()
	reply := []byte{0}
	if find != nil && d.mayAsk(s.Conn().RemotePeer()) && find([32]byte(request[1:])) {
		reply[0] = 1
	}
	if _, err := s.Write(reply); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

// mayAsk reports whether p may ask once more. Guests decide how often a partner
// does, and it has limits of its own for them.
func (d *Discovery) mayAsk(p peer.ID) bool { return d.partners[p] || d.finds.Allow(p) }

// Ask asks all configured peers at once whether what question names is theirs,
// dialling those that are not connected, and returns the first that says yes.
// It fails with ErrNotFound when all have said no or failed to answer; nobody
// waits more than a second for a peer that is known to be down.
func (d *Discovery) Ask(ctx context.Context, question [32]byte) (peer.ID, error) {
	return d.askAll(ctx, d.book.Peers(), question)
}

// AskThose is Ask for nodes of a list: those that are configured or connected.
func (d *Discovery) AskThose(ctx context.Context, ids []peer.ID, question [32]byte) (peer.ID, error) {
	var list []contacts.Contact
	for _, id := range ids {
		if c, ok := d.book.Get(id); ok {
			list = append(list, c)
		} else if d.Connected(id) {
			list = append(list, contacts.Contact{Info: PeerInfo{ID: id}})
		}
	}
	return d.askAll(ctx, list, question)
}

func (d *Discovery) askAll(ctx context.Context, list []contacts.Contact, question [32]byte) (peer.ID, error) {
	asking, found := context.WithCancel(ctx)
	defer found()
	var mu sync.Mutex // guards home
	var home peer.ID
	var wg sync.WaitGroup
	for _, c := range list {
		wg.Go(func() { // ends with its deadline, or when another has said yes
			if !d.ask(asking, c, question) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			home = c.ID
			found()
		})
	}
	wg.Wait()
	switch {
	case home != "":
		return home, nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("ask peers: %w", context.Cause(ctx))
	}
	return "", ErrNotFound
}

// ask asks one peer. Every failure is a no.
func (d *Discovery) ask(ctx context.Context, c contacts.Contact, question [32]byte) bool {
	patience := findTime
	if c.Failures > 0 && !d.Connected(c.ID) {
		patience = downTime
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := d.Open(ctx, peer.AddrInfo{ID: c.ID, Addrs: c.AllAddrs()}, findProtocol)
	if err != nil {
		return false
	}
	reply := make([]byte, 1)
	err = host.Converse(ctx, s, func() error {
		if _, err := s.Write(append([]byte{findVersion}, question[:]...)); err != nil {
			return err
		}
		_, err := io.ReadFull(s, reply)
		return err
	})
	return err == nil && reply[0] == 1
}
