package reach

import (
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

// A connFrom is a connection from an address.
type connFrom struct {
	network.Conn
	addr    string
	limited bool
}

func (c connFrom) RemoteMultiaddr() ma.Multiaddr { return ma.StringCast(c.addr) }

func (c connFrom) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Limited: c.limited}}
}

func TestVantage(t *testing.T) {
	const relay = "12D3KooWKYBwEFenARawxbK6hpUQTK1GK4i1bSDLy72nj7nsTJp9"
	for _, c := range []struct {
		addr         string
		limited      bool
		want         string
		err, allowed error // allowed: with private addresses
	}{
		{"/ip4/9.9.9.9/udp/4001/quic-v1", false, "9.9.9.9", nil, nil},
		{"/ip6/2620:fe::fe/tcp/4001", false, "2620:fe::fe", nil, nil},
		{"/ip4/192.168.1.7/tcp/4001", false, "192.168.1.7", address.ErrPrivate, nil},
		{"/ip4/127.0.0.1/tcp/4001", false, "127.0.0.1", address.ErrPrivate, nil},
		{"/ip4/169.254.169.254/tcp/4001", false, "169.254.169.254", address.ErrPrivate, nil},
		{"/ip6/::1/udp/4001/quic-v1", false, "::1", address.ErrPrivate, nil},
		{"/ip6/::ffff:10.0.0.1/tcp/4001", false, "10.0.0.1", address.ErrPrivate, nil},
		{"/ip4/0.0.0.0/tcp/4001", false, "0.0.0.0", address.ErrPrivate, address.ErrPrivate},
		{"/ip4/9.9.9.9/udp/4001/quic-v1", true, "", ErrRelayed, ErrRelayed},
		{"/ip4/9.9.9.9/tcp/4001/p2p/" + relay + "/p2p-circuit", false, "", ErrRelayed, ErrRelayed},
		{"/dns4/a.example/tcp/4001", false, "", address.ErrPrivate, address.ErrPrivate},
		{"/unix/a", false, "", address.ErrPrivate, address.ErrPrivate},
	} {
		for private, want := range map[bool]error{false: c.err, true: c.allowed} {
			got, err := Observed(connFrom{addr: c.addr, limited: c.limited}, private)
			if !errors.Is(err, want) || got.IsValid() != (c.want != "") || got.IsValid() && got.String() != c.want {
				t.Errorf("%s, limited %v, private allowed %v: %v, %v", c.addr, c.limited, private, got, err)
			}
		}
	}
}
