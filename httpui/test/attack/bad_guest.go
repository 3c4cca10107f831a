package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/coder/websocket"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// A badGuest has a link, and behaves badly with it. It is described by JSON on
// standard input, and goes on until that ends.
type badGuest struct {
	Link  string `json:"link"`
	Offer string `json:"offer"` // SDP as a browser writes it
	// Offers says that each second twenty of them are sent, as many as the node
	// takes from one guest, each of another session.
	Offers bool `json:"offers"`
	// Candidates are sent before and after the guest is admitted.
	Candidates []string `json:"candidates"`
}

func runBadGuest(ctx context.Context) error {
	input := json.NewDecoder(os.Stdin)
	var g badGuest
	if err := input.Decode(&g); err != nil {
		return fmt.Errorf("read the guest: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	go func() { // ends with standard input
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return g.run(ctx)
}

var (
	sessionOf     = regexp.MustCompile(`(?m)^o=- \d+ \d+`)
	fingerprintOf = regexp.MustCompile(`(?m)^a=fingerprint:sha-256 (\S+)`)
)

func (g *badGuest) run(ctx context.Context) error {
	page, err := url.Parse(g.Link)
	if err != nil {
		return errors.New("the link is no URL")
	}
	link, err := invite.ParseLink(g.Link)
	if err != nil {
		return err
	}
	found := fingerprintOf.FindStringSubmatch(g.Offer)
	if found == nil {
		return errors.New("the offer has no fingerprint")
	}
	fingerprint, err := hex.DecodeString(strings.ReplaceAll(found[1], ":", ""))
	if err != nil {
		return err
	}
	origin := page.Scheme + "://" + page.Host
	ws, _, err := websocket.Dial(ctx, strings.Replace(origin, "http", "ws", 1)+"/ws/guest", &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {origin}}, Subprotocols: []string{"ar1"},
	})
	if err != nil {
		return err
	}
	ws.SetReadLimit(wire.MaxFrame)
	conn := &socket{ws: ws}
	defer conn.Close(nil)
	defer context.AfterFunc(ctx, func() { conn.Close(nil) })()
	channel, _, err := knock(conn, link)
	if err != nil {
		return err
	}
	if err := send(channel, &wire.Join{Name: "Mallory", Fingerprint: fingerprint}); err != nil {
		return err
	}
	go g.hear(ctx, channel) // ends with the connection
	pace := time.NewTicker(time.Second / wire.MessagesPerSec)
	defer pace.Stop()
	for n := 0; ; n++ {
		if n == 0 || g.Offers {
			offer := sessionOf.ReplaceAllString(g.Offer, fmt.Sprintf("o=- %d 2", rand.Int64()))
			if err := send(channel, &wire.Description{Peer: wire.HostID, Kind: "offer", SDP: offer}); err != nil {
				return over(ctx, err)
			}
		} else if len(g.Candidates) > 0 {
			c := &wire.Candidate{Peer: wire.HostID, Candidate: g.Candidates[n%len(g.Candidates)], MID: "0"}
			if err := send(channel, c); err != nil {
				return over(ctx, err)
			}
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// hear reads what the guest is told, and writes the kind of it to standard
// output, a line each.
func (g *badGuest) hear(ctx context.Context, channel wire.Conn) {
	for {
		frame, err := channel.Recv()
		if err != nil {
			if ctx.Err() == nil {
				fmt.Println("lost")
			}
			return
		}
		body, err := wire.Decode(frame)
		if err != nil {
			continue
		}
		switch body := body.(type) {
		case *wire.Seat:
			fmt.Println(body.State)
		default:
			fmt.Println(body.Type())
		}
	}
}

// over is why a guest could say no more, unless it was to stop.
func over(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
