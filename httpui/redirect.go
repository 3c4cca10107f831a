package httpui

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// redirectTime is for a request and its answer on port 80: neither has a body.
const redirectTime = 5 * time.Second

// redirect answers plain HTTP. It sends who opens a guest's page without https
// on to it, and answers ACME challenges; nothing else is there. What a link
// keeps secret stands behind the #, which browsers keep and do not send.
type redirect struct {
	listeners []net.Listener
	http      *http.Server

	origin    string
	hosts     map[string]bool
	pages     map[string]bool // paths
	challenge func(path string) (answer string, ok bool)
}

func newRedirect(cfg Config, routes []*route) (*redirect, error) {
	rd := &redirect{
		listeners: cfg.Redirect,
		origin:    cfg.PublicURL,
		hosts:     map[string]bool{},
		pages:     map[string]bool{},
		challenge: cfg.Challenge,
	}
	conns := newConnections(cfg.Connections)
	rd.http = &http.Server{
		Handler:                      rd,
		ReadHeaderTimeout:            redirectTime,
		ReadTimeout:                  redirectTime,
		WriteTimeout:                 redirectTime,
		MaxHeaderBytes:               maxHeaderBytes,
		ConnState:                    conns.watch,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0), // as in newServer
	}
	rd.http.SetKeepAlivesEnabled(false)
	for _, rt := range routes {
		if rt.public && rt.linked {
			rd.pages[rt.pattern] = true
		}
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("public URL: %w", err)
	}
	name := strings.TrimSuffix(u.Host, ":"+u.Port())
	for _, l := range rd.listeners {
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("redirect to https: %w", err)
		}
		// Browsers write no port if it is 80, whatever a router makes of it here.
		rd.hosts[name], rd.hosts[name+":"+port] = true, true
	}
	return rd, nil
}

func (rd *redirect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header(), nil)
	if !rd.hosts[r.Host] {
		w.WriteHeader(http.StatusMisdirectedRequest)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if rd.challenge != nil {
		if answer, ok := rd.challenge(r.URL.Path); ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			io.WriteString(w, answer)
			return
		}
	}
	if !rd.pages[r.URL.EscapedPath()] {
		if navigation(r) { // somebody who typed the name: what to do is said there
			w.Header().Set("Location", rd.origin+"/")
			w.WriteHeader(http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Location", rd.origin+r.URL.EscapedPath())
	w.WriteHeader(http.StatusPermanentRedirect)
}
