package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// A socket is a wire.Conn to a page's node, with which a stranger does as they like.
type socket struct {
	ws   *websocket.Conn
	send func(b []byte) []byte // changes what is sent; nil: nothing
}

// open connects to the practice's page from an address.
func (p *practice) open(ctx context.Context, from net.IP) (*socket, error) {
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialFrom(ctx, from, page) },
		TLSClientConfig:   &tls.Config{RootCAs: p.trusted, ServerName: "public.test"},
		DisableKeepAlives: true,
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ws, answer, err := websocket.Dial(ctx, "wss://public.test/ws/guest", &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: transport},
		HTTPHeader:   http.Header{"Origin": {"https://public.test"}},
		Subprotocols: []string{"ar1"},
	})
	if err != nil {
		if answer != nil {
			err = fmt.Errorf("HTTP %d", answer.StatusCode)
		}
		return nil, err
	}
	ws.SetReadLimit(wire.MaxFrame)
	return &socket{ws: ws}, nil
}

func (s *socket) Send(b []byte) error {
	if s.send != nil {
		b = s.send(b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.ws.Write(ctx, websocket.MessageBinary, b)
}

func (s *socket) Recv() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, b, err := s.ws.Read(ctx)
	if closed, ok := errors.AsType[websocket.CloseError](err); ok && closed.Code == 4000 {
		return nil, wire.ErrorFor(wire.Code(closed.Reason))
	}
	return b, err
}

// Close drops the connection: nobody here is polite.
func (s *socket) Close(error) { _ = s.ws.CloseNow() }

// knock makes the sealed channel of a link, as a browser does that has opened it.
func knock(conn wire.Conn, link invite.Link) (*seal.Channel, *wire.Welcome, error) {
	if err := rendezvous.SendKey(conn, link.Keys().Rendezvous); err != nil {
		return nil, nil, err
	}
	channel, frame, err := seal.Dial(conn, link)
	if err != nil {
		return nil, nil, err
	}
	body, err := wire.Decode(frame)
	if err != nil {
		return nil, nil, err
	}
	welcome, ok := body.(*wire.Welcome)
	if !ok {
		return nil, nil, errors.New("the first message is no welcome")
	}
	return channel, welcome, nil
}

// send encodes and sends one message.
func send(conn wire.Conn, body wire.Body) error {
	frame, err := wire.Encode(body)
	if err != nil {
		return err
	}
	return conn.Send(frame)
}

// take presses Join, and returns when the guest has the seat.
func take(channel wire.Conn) error {
	fingerprint := make([]byte, 32)
	rand.Read(fingerprint)
	if err := send(channel, &wire.Join{Name: "A guest", Fingerprint: fingerprint}); err != nil {
		return err
	}
	for {
		frame, err := channel.Recv()
		if err != nil {
			return err
		}
		body, err := wire.Decode(frame)
		if err != nil {
			return err
		}
		switch body := body.(type) {
		case *wire.Seat:
			return nil
		case *wire.Bye:
			return wire.ErrorFor(body.Code)
		}
	}
}

// join opens a link, joins, and leaves when it has the seat. It returns how
// long it took to have it. Before the link is opened, before (if not nil) may
// change the connection.
func (p *practice) join(ctx context.Context, from net.IP, link invite.Link, before func(*socket)) (time.Duration, error) {
	began := time.Now()
	conn, err := p.open(ctx, from)
	if err != nil {
		return 0, err
	}
	defer conn.Close(nil)
	if before != nil {
		before(conn)
	}
	channel, _, err := knock(conn, link)
	if err != nil {
		return 0, err
	}
	if err := take(channel); err != nil {
		return 0, err
	}
	took := time.Since(began)
	leave(channel)
	return took, nil
}

// openLink connects, and makes the link's sealed channel.
func (p *practice) openLink(ctx context.Context, from net.IP, link invite.Link) (*socket, wire.Conn, error) {
	conn, err := p.open(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	channel, _, err := knock(conn, link)
	if err != nil {
		conn.Close(nil)
		return nil, nil, err
	}
	return conn, channel, nil
}

// leave gives the seat back; it is free when the node hangs up.
func leave(channel wire.Conn) {
	err := send(channel, &wire.Leave{})
	for err == nil {
		_, err = channel.Recv()
	}
}

// outcome is what real guests met with.
type outcome struct {
	mu            sync.Mutex
	tried, failed int
	again         int // connections that were lost and made again
	took          []time.Duration
	reasons       map[string]int
}

func (o *outcome) add(took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tried++
	if err == nil {
		o.took = append(o.took, took)
		return
	}
	o.failed++
	if o.reasons == nil {
		o.reasons = make(map[string]int)
	}
	o.reasons[reason(err)]++
}

// reason is err without the addresses, which are others each time.
func reason(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// insist lets a real guest in, whose page connects again where a connection is
// lost, until they would give up. What the node says is final at once.
func (o *outcome) insist(join func() (time.Duration, error)) {
	began := time.Now()
	for {
		_, err := join()
		if _, said := errors.AsType[*wire.Error](err); err == nil || said || time.Since(began) > patience {
			o.add(time.Since(began), err)
			return
		}
		o.mu.Lock()
		o.again++
		o.mu.Unlock()
		time.Sleep(reconnect)
	}
}

// reconnect is how long a page waits before it connects again.
const reconnect = 500 * time.Millisecond

// keptOut reports whether more than one real guest in a thousand did not get in.
func (o *outcome) keptOut() bool { return o.failed*1000 > o.tried }

func (o *outcome) percentile(p int) time.Duration {
	if len(o.took) == 0 {
		return 0
	}
	slices.Sort(o.took)
	return o.took[min(len(o.took)-1, len(o.took)*p/100)]
}

// pace is how often a real guest comes in each lane at most: together they are
// more than any practice has.
const pace = 200 * time.Millisecond

// guests join and leave, one after the other in each of lanes, until ctx ends.
// A lane has links of its own, and comes from the address that from names.
func (p *practice) guests(ctx context.Context, links []invite.Link, lanes int, from func(lane int) net.IP, o *outcome) {
	each(lanes, func(lane int) {
		next := time.NewTicker(pace)
		defer next.Stop()
		for n := lane; ctx.Err() == nil; n += lanes {
			link := links[n%(len(links)/lanes*lanes)]
			o.insist(func() (time.Duration, error) { return p.join(context.WithoutCancel(ctx), from(lane), link, nil) })
			select {
			case <-next.C:
			case <-ctx.Done():
			}
		}
	})
}

// pages loads the guest's page again and again, each time on a connection of
// its own, until ctx ends.
func (p *practice) pages(ctx context.Context, from func(n int) net.IP, o *outcome) {
	next := time.NewTicker(pace / 4)
	defer next.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		err := p.load(context.WithoutCancel(ctx), from(n))
		o.add(time.Since(began), err)
		select {
		case <-next.C:
		case <-ctx.Done():
		}
	}
}

func (p *practice) load(ctx context.Context, from net.IP) error {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialFrom(ctx, from, page) },
		TLSClientConfig:   &tls.Config{RootCAs: p.trusted},
		DisableKeepAlives: true,
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://public.test/j", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %d", answer.StatusCode)
	}
	return nil
}
