package httpui

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"
)

// A browser in which somebody has signed in is known by a cookie of its own
// (OWASP, "device cookies"). Its wrong passwords count for it alone, and those of
// others not for it: another program on this computer can keep strangers out of
// an account, and not its owner. The cookie opens nothing. Nothing is stored:
// it holds random bytes, its end, and a MAC over these and the account.
const (
	deviceLife   = 180 * 24 * time.Hour
	deviceRandom = 16
	deviceSize   = deviceRandom + 8 + sha256.Size
	devicePath   = "/api/signin" // nobody else on this computer hears it by being visited
)

// devices makes and knows the cookies.
type devices struct {
	key []byte
	now func() time.Time
}

func newDevices(key []byte, now func() time.Time) *devices {
	if len(key) == 0 { // no browser is known beyond the process
		key = make([]byte, sha256.Size)
		rand.Read(key)
	}
	return &devices{key, now}
}

// issue returns a new cookie for a browser in which account has signed in.
func (d *devices) issue(account string) string {
	b := make([]byte, deviceRandom, deviceSize)
	rand.Read(b)
	b = binary.BigEndian.AppendUint64(b, uint64(d.now().Add(deviceLife).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, d.mac(b, account)...))
}

// known returns the trier of a browser that has a cookie of account's.
func (d *devices) known(cookie, account string) (_ trier, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil || len(b) != deviceSize {
		return trier{}, false
	}
	said, mac := b[:deviceRandom+8], b[deviceRandom+8:]
	ends := time.Unix(int64(binary.BigEndian.Uint64(said[deviceRandom:])), 0)
	if !hmac.Equal(mac, d.mac(said, account)) || !d.now().Before(ends) {
		return trier{}, false
	}
	return trier{account: "device " + string(said)}, true
}

func (d *devices) mac(said []byte, account string) []byte {
	h := hmac.New(sha256.New, d.key)
	h.Write(said)
	h.Write([]byte(account))
	return h.Sum(nil)
}

// triers returns whose wrong passwords for account a request's would be: the
// browser's, if it is known; else the account's and the network's.
func (s *Server) triers(r *request, account string) []trier {
	if cookies := r.CookiesNamed(r.site.device); len(cookies) == 1 {
		if known, ok := s.devices.known(cookies[0].Value, account); ok {
			return []trier{known}
		}
	}
	return []trier{{account: "name " + account}, network(addrOf(r.RemoteAddr))}
}

// setDeviceCookie makes a browser known in which account has signed in.
func (s *Server) setDeviceCookie(w http.ResponseWriter, at *site, account string) {
	http.SetCookie(w, &http.Cookie{
		Name:     at.device,
		Value:    s.devices.issue(account),
		Path:     devicePath,
		MaxAge:   int(deviceLife / time.Second),
		Secure:   at.secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	})
}
