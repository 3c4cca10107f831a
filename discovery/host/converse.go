// Package host is the libp2p host of a node: how it is made, the streams of our own
// protocols, and which connections are dead.
package host

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
)

// Converse runs f with a stream that this node opened, and ends the stream:
// with ctx at the latest, by a reset if f failed. The error is ctx's if ctx
// ended first.
func Converse(ctx context.Context, s network.Stream, f func() error) error {
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	err := f()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = s.Reset()
		return err
	}
	_ = s.Close() // f has what it wanted
	return nil
}
