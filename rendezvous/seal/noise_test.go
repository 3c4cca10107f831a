package seal

import (
	"bufio"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/flynn/noise"
)

// publicVectors reads the vectors that the library's authors publish.
func publicVectors(t *testing.T) (list []map[string][]byte) {
	t.Helper()
	file, err := os.Open("../testdata/noise-NKpsk0_25519_AESGCM_SHA256.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		switch {
		case !ok: // a comment or an empty line
		case key == "handshake":
			if value != "Noise_NKpsk0_25519_AESGCM_SHA256" {
				t.Fatalf("a vector for %s", value)
			}
			list = append(list, make(map[string][]byte))
		default:
			b, err := hex.DecodeString(value)
			if err != nil {
				t.Fatal(err)
			}
			list[len(list)-1][key] = b
		}
	}
	if len(list) != 4 {
		t.Fatalf("%d public vectors, want 4", len(list))
	}
	return list
}

// TestPublicNoiseVectors shows, on the curve that they are for, that the
// handshake is the one of the Noise specification.
func TestPublicNoiseVectors(t *testing.T) {
	for _, v := range publicVectors(t) {
		key := func(name string) noise.DHKey {
			k, err := noise.DH25519.GenerateKeypair(strings.NewReader(string(v[name])))
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		static := key("resp_static")
		guest, err := initiate(fixed{noise.DH25519, key("gen_init_ephemeral")}, static.Public, v["preshared_key"], v["prologue"])
		if err != nil {
			t.Fatal(err)
		}
		home, err := respond(fixed{noise.DH25519, key("gen_resp_ephemeral")}, static, v["preshared_key"], v["prologue"])
		if err != nil {
			t.Fatal(err)
		}
		m1, _, _, err := guest.WriteMessage(nil, v["msg_0_payload"])
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "message 1", m1, v["msg_0_ciphertext"])
		p1, _, _, err := home.ReadMessage(nil, m1)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "payload 1", p1, v["msg_0_payload"])
		m2, homeIn, homeOut, err := home.WriteMessage(nil, v["msg_1_payload"])
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "message 2", m2, v["msg_1_ciphertext"])
		p2, guestOut, guestIn, err := guest.ReadMessage(nil, m2)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "payload 2", p2, v["msg_1_payload"])

		for _, way := range []struct {
			name     string
			from, to *noise.CipherState
		}{{"msg_2", guestOut, homeIn}, {"msg_3", homeOut, guestIn}} {
			c, err := way.from.Encrypt(nil, nil, v[way.name+"_payload"])
			if err != nil {
				t.Fatal(err)
			}
			equal(t, way.name, c, v[way.name+"_ciphertext"])
			p, err := way.to.Decrypt(nil, nil, c)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, way.name+" payload", p, v[way.name+"_payload"])
		}
	}
}

// counting counts curve operations.
type counting struct {
	noise.DHFunc
	n *int
}

func (c counting) GenerateKeypair(r io.Reader) (noise.DHKey, error) {
	*c.n++
	return c.DHFunc.GenerateKeypair(r)
}

func (c counting) DH(private, public []byte) ([]byte, error) {
	*c.n++
	return c.DHFunc.DH(private, public)
}

func TestP256RefusesWhatIsNoPoint(t *testing.T) {
	priv, err := p256{}.GenerateKeypair(nil)
	if err != nil {
		t.Fatal(err)
	}
	offCurve := append([]byte{4}, make([]byte, 64)...)
	compressed := append([]byte{2}, priv.Public[1:33]...)
	hybrid := append([]byte{6}, priv.Public[1:]...)
	for name, pub := range map[string][]byte{
		"nothing": nil, "infinity": {0}, "zeros": make([]byte, 65), "off the curve": offCurve,
		"compressed": compressed, "hybrid": hybrid, "short": priv.Public[:64], "long": append(priv.Public[:65:65], 0),
	} {
		if _, err := (p256{}).DH(priv.Private, pub); err == nil {
			t.Errorf("%s: accepted as a public key", name)
		}
	}
}
