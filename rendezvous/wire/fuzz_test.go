package wire

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecode checks that a frame that is accepted is the only way to say what
// it says, and can be sent on.
func FuzzDecode(f *testing.F) {
	for _, body := range valid() {
		f.Add([]byte(mustEncode(f, body)))
	}
	for _, s := range []string{
		"", "null", `{"type":"grease","body":{}}`, `{"type":"ping","body":{}} `, `{"type":"ping","Body":{}}`, `{"type":"ping","body":{"x":1}}`,
		`{"type":"hold","body":{"member":"host","on":true,"on":true}}`, `{"type":"join","body":{"name":"\ud800","fp":""}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		body, err := Decode(frame)
		if err != nil {
			if !errors.Is(err, ErrBadMessage) || body != nil {
				t.Fatalf("err = %v with body %v", err, body)
			}
			return
		}
		again, err := Encode(body)
		if err != nil || !bytes.Equal(again, frame) {
			t.Fatalf("encoded again as %q, %v", again, err)
		}
	})
}
