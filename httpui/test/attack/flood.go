package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// beginning is the first bytes of a TLS handshake: a record that says that it
// is 512 bytes long, and nothing of it.
var beginning = []byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01}

// halfTLS keeps connections open that have begun a TLS handshake and say no
// more, so many from each of so many networks, and opens another for each that
// is closed. The real ones load the page.
func halfTLS(networks, fromEach int) func(context.Context, *practice, int) (*result, error) {
	return func(ctx context.Context, p *practice, seconds int) (*result, error) {
		var tries atomic.Int64
		loading := func(ctx context.Context, o *outcome) {
			each(lanes, func(lane int) {
				p.pages(ctx, func(n int) net.IP { return address(realGuests+lanes*n%500+lane, 1) }, o)
			})
		}
		r := p.besides(ctx, seconds, loading, func(ctx context.Context) {
			each(networks*fromEach, func(i int) {
				for ctx.Err() == nil {
					conn, err := dialFrom(ctx, address(crowd+i%networks, 1), page)
					if err != nil {
						continue
					}
					tries.Add(1)
					stop := context.AfterFunc(ctx, func() { conn.Close() })
					if _, err := conn.Write(beginning); err == nil {
						_, _ = conn.Read(make([]byte, 1)) // until the other side has had enough
					}
					stop()
					conn.Close()
				}
			})
		})
		r.tries = int(tries.Load())
		return r, nil
	}
}

// again is how long a silent stranger who was closed stays away. All of them
// together begin 300 TLS handshakes a second then, which leaves a small computer,
// on which they all run, something for the real guests.
const again = 2 * time.Second

// silent keeps WebSockets open that say nothing, one from each of so many
// networks, and opens another for each that is closed.
func silent(networks int) func(context.Context, *practice, int) (*result, error) {
	return func(ctx context.Context, p *practice, seconds int) (*result, error) {
		var tries atomic.Int64
		r := p.besides(ctx, seconds, p.joining(p.public.links, realGuests), func(ctx context.Context) {
			each(networks, func(i int) {
				for ctx.Err() == nil {
					conn, err := p.open(ctx, address(crowd+i, 1))
					if err != nil {
						continue
					}
					tries.Add(1)
					stop := context.AfterFunc(ctx, func() { conn.Close(nil) })
					for err == nil {
						_, err = conn.Recv()
					}
					stop()
					conn.Close(nil)
					select {
					case <-time.After(again):
					case <-ctx.Done():
					}
				}
			})
		})
		r.tries = int(tries.Load())
		return r, nil
	}
}
