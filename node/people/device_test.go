package people

import (
	"testing"
	"time"

	"anteroom/node/desk/api"
)

// Only the token of the account itself, whole and in time, makes a browser known.
func TestForgedDevices(t *testing.T) {
	now := time.Unix(1e9, 0)
	d := newDevices([]byte("key"), func() time.Time { return now })
	token := d.issue("p1")
	first, ok := d.known(token, "p1")
	if !ok {
		t.Fatal("the token is not known")
	}
	if second, ok := d.known(d.issue("p1"), "p1"); !ok || first == second {
		t.Error("two browsers have one budget")
	}
	changed := []byte(token)
	changed[25] ^= 1 // of its end
	for name, c := range map[string][2]string{
		"another account":    {token, "p2"},
		"another node":       {newDevices([]byte("another"), d.now).issue("p1"), "p1"},
		"nothing":            {"", "p1"},
		"cut short":          {token[:len(token)-4], "p1"},
		"changed":            {string(changed), "p1"},
		"something appended": {token + "AAAA", "p1"},
	} {
		if _, ok := d.known(c[0], c[1]); ok {
			t.Errorf("%s is known", name)
		}
	}
	now = now.Add(api.DeviceLife)
	if _, ok := d.known(token, "p1"); ok {
		t.Error("the token has no end")
	}
}
