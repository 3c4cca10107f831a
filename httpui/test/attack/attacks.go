package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// An attack is one kind of bad behaviour, and its amount: seconds, or rounds of
// a race.
type attack struct {
	name, against string
	smoke, full   int
	run           func(ctx context.Context, p *practice, amount int) (*result, error)
}

// result is what came of an attack.
type result struct {
	tries, opened int
	real          outcome
}

// Who lives where: the n of address. Real guests have networks of their own,
// but where an attack says that they share the stranger's.
const (
	realGuests = 1000
	stranger   = 2000
	crowd      = 3000 // and those after it
)

var attacks = []attack{
	{"nothing", "node behind another", 3, 20, nobody((*practice).behind)},
	{"guess links", "public node", 4, 60, guess((*practice).atPage, realGuests, 16)},
	{"guess links", "node behind another", 6, 120, guess((*practice).behind, realGuests, 16)},
	{"guess links, slowly", "node behind another", 4, 60, guess((*practice).behind, realGuests, 1)},
	{"guess links, from the guests’ network", "node behind another", 6, 60, guess((*practice).behind, stranger, 16)},
	{"replay a guest’s frames", "public node", 2, 20, replay((*practice).atPage)},
	{"replay a guest’s frames", "node behind another", 2, 20, replay((*practice).behind)},
	{"change a bit of the handshake", "public node", 2, 20, mutate((*practice).atPage)},
	{"race for one seat, 64 devices", "public node", 3, 200, race},
	{"half a TLS handshake, 8 networks", "public node", 5, 60, halfTLS(8, 64)},
	{"half a TLS handshake, 100 networks", "public node", 5, 60, halfTLS(100, 16)},
	{"silent sockets, 600 networks", "public node", 6, 60, silent(600)},
}

// A target is a node with the links of its guests.
type target func(*practice) []invite.Link

func (p *practice) atPage() []invite.Link { return p.public.links }
func (p *practice) behind() []invite.Link { return p.hidden.links }

// besides runs a bad deed for so many seconds while real guests come and go.
func (p *practice) besides(ctx context.Context, seconds int, guests func(context.Context, *outcome), bad func(context.Context)) *result {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer cancel()
	r := new(result)
	var both sync.WaitGroup
	both.Go(func() { guests(ctx, &r.real) })
	both.Go(func() { bad(ctx) })
	both.Wait()
	return r
}

// lanes is how many real guests come at a time.
const lanes = 4

// joining is real guests of a node who join; they live at network, each at
// another address.
func (p *practice) joining(links []invite.Link, network int) func(context.Context, *outcome) {
	return func(ctx context.Context, o *outcome) {
		p.guests(ctx, links, lanes, func(lane int) net.IP { return address(network, 10+lane) }, o)
	}
}

func nobody(at target) func(context.Context, *practice, int) (*result, error) {
	return func(ctx context.Context, p *practice, seconds int) (*result, error) {
		return p.besides(ctx, seconds, p.joining(at(p), realGuests), func(context.Context) {}), nil
	}
}

// tryAgain lets a stranger try the same again and again, so many at a time,
// beside real guests. try reports whether the stranger got in.
func (p *practice) tryAgain(ctx context.Context, seconds int, guests func(context.Context, *outcome), atOnce int, try func(*socket) bool) *result {
	var tries, opened atomic.Int64
	r := p.besides(ctx, seconds, guests, func(ctx context.Context) {
		each(atOnce, func(int) {
			for ctx.Err() == nil {
				conn, err := p.open(ctx, address(stranger, 1))
				if err != nil {
					continue
				}
				tries.Add(1)
				if try(conn) {
					opened.Add(1)
				}
				conn.Close(nil)
			}
		})
	})
	r.tries, r.opened = int(tries.Load()), int(opened.Load())
	return r
}

// guess opens random links, so many at a time, as fast as they are refused.
func guess(at target, guestsAt, atOnce int) func(context.Context, *practice, int) (*result, error) {
	return func(ctx context.Context, p *practice, seconds int) (*result, error) {
		return p.tryAgain(ctx, seconds, p.joining(at(p), guestsAt), atOnce, func(conn *socket) bool {
			_, _, err := knock(conn, randomLink())
			return err == nil
		}), nil
	}
}

// randomLink is a whole link of which nobody has the other half. PROTOCOL.md,
// "The link".
func randomLink() invite.Link {
	payload := make([]byte, 49, 51)
	payload[0] = 1
	rand.Read(payload[1:])
	sum := sha256.Sum256(append([]byte("ar1 link"), payload...))
	link, err := invite.ParseLink(base64.RawURLEncoding.EncodeToString(append(payload, sum[:2]...)))
	if err != nil {
		panic(fmt.Sprintf("a link as PROTOCOL.md makes it: %v", err))
	}
	return link
}

// replay sends again what a guest sent whom it listened to.
func replay(at target) func(context.Context, *practice, int) (*result, error) {
	return func(ctx context.Context, p *practice, seconds int) (*result, error) {
		links := at(p)
		var frames [][]byte
		if _, err := p.join(ctx, address(realGuests, 1), links[0], func(s *socket) {
			s.send = func(b []byte) []byte {
				frames = append(frames, b)
				return b
			}
		}); err != nil {
			return nil, fmt.Errorf("the guest to listen to: %w", err)
		}
		return p.tryAgain(ctx, seconds, p.joining(links[lanes:], realGuests), 16, func(conn *socket) bool {
			return say(conn, frames) > 1 // the first answer, hello, is for everybody
		}), nil
	}
}

// say sends frames, the first two at once and each of the others when it has an
// answer, as a guest does; it returns how many answers there were.
func say(conn wire.Conn, frames [][]byte) (answers int) {
	for i, frame := range frames {
		if err := conn.Send(frame); err != nil {
			return answers
		}
		if i == 0 {
			continue
		}
		if _, err := conn.Recv(); err != nil {
			return answers
		}
		answers++
	}
	return answers
}

// mutate holds a whole link, and changes one bit of what it proves that with.
func mutate(at target) func(context.Context, *practice, int) (*result, error) {
	return func(ctx context.Context, p *practice, seconds int) (*result, error) {
		links := at(p)
		return p.tryAgain(ctx, seconds, p.joining(links[lanes:], realGuests), 16, func(conn *socket) bool {
			sent := 0
			conn.send = func(b []byte) []byte {
				if sent++; sent == 3 { // after the key and the opening frame: the proof and the Noise message
					b = append([]byte(nil), b...)
					b[mathrand.IntN(len(b))] ^= 1 << mathrand.IntN(8)
				}
				return b
			}
			_, _, err := knock(conn, links[0])
			return err == nil
		}), nil
	}
}

// race lets 64 devices in 64 networks press Join at one moment with one link:
// one of them has the seat. Whatever more is "opened".
func race(ctx context.Context, p *practice, rounds int) (*result, error) {
	const devices = 64
	r := new(result)
	for range rounds {
		began := time.Now()
		var seats atomic.Int64
		var ready, settled sync.WaitGroup // all have opened the link; all know whether they sit
		ready.Add(devices)
		settled.Add(devices)
		each(devices, func(i int) {
			conn, channel, err := p.openLink(ctx, address(crowd+i, 1), p.public.links[0])
			ready.Done()
			if err != nil {
				settled.Done()
				r.real.add(0, err)
				return
			}
			defer conn.Close(nil)
			ready.Wait()
			err = take(channel)
			settled.Done()
			if err != nil {
				return
			}
			seats.Add(1)
			r.real.add(time.Since(began), nil)
			settled.Wait() // nobody sits where somebody has left
			leave(channel)
		})
		r.tries += devices
		if n := int(seats.Load()); n != 1 {
			r.opened += max(n-1, 0)
			if n == 0 {
				r.real.add(0, fmt.Errorf("nobody of %d had the seat", devices))
			}
		}
	}
	return r, nil
}
