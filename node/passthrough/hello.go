package passthrough

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// maxHello bounds what a client may say before it is known whom it wants: a
// ClientHello with post-quantum keys takes 2 KiB.
const maxHello = 16 << 10

var errHello = errors.New("client hello read") // ends the handshake that peek never makes

// peek reads conn's first TLS message and returns the server name in it, ""
// if it has none, and a connection that begins again with that message. It
// writes nothing. conn's deadline applies.
func peek(conn net.Conn) (name string, whole net.Conn, err error) {
	var said bytes.Buffer
	r := &hello{Reader: io.TeeReader(io.LimitReader(conn, maxHello), &said)}
	// crypto/tls reads the message, which is a parser that is kept up to date.
	err = tls.Server(r, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name = h.ServerName
		return nil, errHello
	}}).Handshake()
	if !errors.Is(err, errHello) {
		return "", nil, errors.Join(errors.New("read client hello"), err)
	}
	return name, &rewound{conn, io.MultiReader(&said, conn)}, nil
}

// A hello is a connection of which only reading is real.
type hello struct{ io.Reader }

func (*hello) Write(b []byte) (int, error)      { return len(b), nil } // the alert that ends the handshake
func (*hello) Close() error                     { return nil }
func (*hello) LocalAddr() net.Addr              { return nil }
func (*hello) RemoteAddr() net.Addr             { return nil }
func (*hello) SetDeadline(time.Time) error      { return nil }
func (*hello) SetReadDeadline(time.Time) error  { return nil }
func (*hello) SetWriteDeadline(time.Time) error { return nil }

// A rewound connection is read from its beginning.
type rewound struct {
	net.Conn
	r io.Reader
}

func (c *rewound) Read(b []byte) (int, error) { return c.r.Read(b) }

// NetConn returns the connection beneath, as that of *tls.Conn does.
func (c *rewound) NetConn() net.Conn { return c.Conn }

// CloseWrite says that nothing more follows.
func (c *rewound) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}
