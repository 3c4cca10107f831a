package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/exit"
	"anteroom/node/store"
)

// A client is the command line's end of the control socket.
type Client struct {
	dir  config.Dir
	http http.Client
}

func NewClient(dir config.Dir) *Client {
	c := &Client{dir: dir}
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", dir.Socket())
		},
	}
	return c
}

// Call asks the daemon to do what route stands for. The error is a failure
// with exit.NotRunning if there is no daemon.
func Call[A any](ctx context.Context, c *Client, route string, q any) (a A, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return a, fmt.Errorf("write message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://daemon/"+route, bytes.NewReader(body))
	if err != nil {
		return a, fmt.Errorf("write message: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return a, c.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		refused, err := decodeStrict[Error](res.Body)
		if err != nil {
			return a, fmt.Errorf("the daemon is of another version, it does not know %q: restart it", route)
		}
		return a, refused
	}
	a, err = decodeStrict[A](res.Body)
	if err != nil {
		return a, fmt.Errorf("the daemon is of another version, its answer to %q is not understood: restart it (%w)", route, err)
	}
	return a, nil
}

// unreachable says in a sentence why the daemon does not answer.
func (c *Client) unreachable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ECONNREFUSED):
		return exit.With(exit.NotRunning, fmt.Errorf("no daemon is running with the data directory %s: start it with \"anteroom serve\"", c.dir))
	case errors.Is(err, fs.ErrPermission):
		if err := store.Foreign(string(c.dir)); err != nil {
			return err
		}
		return fmt.Errorf("the daemon with the data directory %s belongs to another user: run this as that user", c.dir)
	}
	return fmt.Errorf("talk to the daemon: %w", err)
}
