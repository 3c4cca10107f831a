package people

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"anteroom/node/desk/api"
)

// A browser in which somebody has signed in is known by a token of its own
// (OWASP, "device cookies"). Its wrong passwords count for it alone, and those of
// others not for it: another program on this computer can keep strangers out of
// an account, and not its owner. The token opens nothing. Nothing is stored:
// it holds random bytes, its end, and a MAC over these and the account.
const (
	deviceRandom = 16
	deviceSize   = deviceRandom + 8 + sha256.Size
)

// devices makes and knows the tokens.
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

// issue returns a new token for a browser in which account has signed in.
func (d *devices) issue(account string) string {
	b := make([]byte, deviceRandom, deviceSize)
	rand.Read(b)
	b = binary.BigEndian.AppendUint64(b, uint64(d.now().Add(api.DeviceLife).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, d.mac(b, account)...))
}

// known returns the trier of a browser that has a token of account's.
func (d *devices) known(token, account string) (_ trier, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
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
