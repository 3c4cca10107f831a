package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/pion/turn/v5"
)

// Credentials let one seat of a call use a Relay until they expire.
type Credentials struct {
	Username string // when they expire and random bytes
	Password Password
}

// A Password is a text that no printer can reach: fmt, json and slog walk
// fields, and this field holds a func.
type Password struct{ reveal func() string }

// Reveal returns the text.
func (p Password) Reveal() string { return p.reveal() }

const redacted = "[redacted]"

// Format implements fmt.Formatter for every verb.
func (Password) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, which json and slog ask first.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Grant returns credentials for one seat of a call. Limits.PerCall is for all
// that were granted with the same call, which may be any bytes and cannot be
// recognised in what is returned. The seat's allocations outlast the
// credentials by at most ten minutes.
func (r *Relay) Grant(call string, until time.Time) Credentials {
	id := make([]byte, callSize, callSize+9)
	copy(id, r.mac("call", call))
	id = id[:cap(id)]
	rand.Read(id[callSize:])
	username := strconv.FormatInt(until.Unix(), 10) + ":" + base64.RawURLEncoding.EncodeToString(id)
	password := r.password(username)
	return Credentials{Username: username, Password: Password{func() string { return password }}}
}

// Revoke ends the allocations of the credentials with this name at once, and
// makes them invalid. A Relay forgets this when it ends.
func (r *Relay) Revoke(username string) {
	if until, _, ok := parseUsername(username); ok {
		r.table.revoke(username, until)
	}
}

// callSize is how many bytes of a username are the same for one call.
const callSize = 9

// parseUsername returns when credentials expire and which call they are for.
// It does not know whether they were ever granted.
func parseUsername(s string) (until time.Time, call string, ok bool) {
	seconds, id, found := strings.Cut(s, ":")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !found || err != nil || len(id) != base64.RawURLEncoding.EncodedLen(callSize+9) {
		return time.Time{}, "", false
	}
	return time.Unix(n, 0), id[:base64.RawURLEncoding.EncodedLen(callSize)], true
}

// authenticate is asked by the library about every request that is signed.
func (r *Relay) authenticate(req *turn.RequestAttributes) (user string, key []byte, ok bool) {
	until, _, ok := parseUsername(req.Username)
	if !ok || !time.Now().Before(until) || r.table.isRevoked(req.Username) {
		r.count.credentials.Add(1)
		return "", nil, false
	}
	return req.Username, turn.GenerateAuthKey(req.Username, r.realm, r.password(req.Username)), true
}

func (r *Relay) password(username string) string {
	return base64.RawURLEncoding.EncodeToString(r.mac("password", username))
}

// mac is an HMAC of what and text: no two pairs have the same input.
func (r *Relay) mac(what, text string) []byte {
	h := hmac.New(sha256.New, r.secret)
	io.WriteString(h, "anteroom relay ")
	h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(what))))
	io.WriteString(h, what)
	io.WriteString(h, text)
	return h.Sum(nil)
}
