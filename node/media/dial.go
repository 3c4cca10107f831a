package media

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/coder/websocket"

	"anteroom/rendezvous/wire"
)

// subprotocol is the only version of the protocol that there is.
const subprotocol = "ar1"

// Dial opens a guest's connection to the gateway whose page is at base, such
// as "https://practice.example". It sends what a browser would send from that
// page, and follows no redirection: the next frame is meant for this gateway
// alone. ctx is for the opening only.
func Dial(ctx context.Context, base string) (wire.Conn, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" || u.User != nil {
		return nil, errors.New("dial gateway: not the address of a web page's host")
	}
	origin := u.Scheme + "://" + u.Host
	var raw net.Conn
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
			raw, err = new(net.Dialer).DialContext(ctx, network, addr)
			return raw, err
		},
		DisableKeepAlives: true,
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ws, _, err := websocket.Dial(ctx, origin+"/ws/guest", &websocket.DialOptions{
		HTTPClient:   client,
		HTTPHeader:   http.Header{"Origin": {origin}},
		Subprotocols: []string{subprotocol},
	})
	if err != nil {
		return nil, fmt.Errorf("dial gateway: %w", err)
	}
	conn := newSocket(ws, raw)
	if ws.Subprotocol() != subprotocol {
		conn.Close(nil)
		return nil, errors.New("dial gateway: it does not speak " + subprotocol)
	}
	return conn, nil
}
