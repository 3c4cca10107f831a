// Package vectors reads testdata/ar1-vectors.json: what a third implementation
// of the protocol, written apart from ours, computed from fixed inputs. Only
// tests import it; httpui/test/page reads the same file.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Count is how many vectors the file must have.
const Count = 40

// Hex is binary data, in hexadecimal in the file.
type Hex []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// A Vector is one invite, one handshake and the checks that follow from it.
type Vector struct {
	ID string `json:"id"`

	// the invite and its keys
	S             Hex    `json:"S"`
	Link          string `json:"link"`
	HostPriv      Hex    `json:"host_priv"`
	HostPub       Hex    `json:"host_pub"`
	HC            Hex    `json:"hc"`
	PSK           Hex    `json:"psk"`
	AdmitKey      Hex    `json:"admit_key"`
	HelloKey      Hex    `json:"hello_key"`
	RendezvousKey Hex    `json:"rendezvous_key"`
	RID           Hex    `json:"rid"`

	// rendezvous at UnixTime
	UnixTime int64     `json:"unix_time"`
	Phase    int64     `json:"phase"`
	Epoch    int64     `json:"epoch"`
	EpochKey Hex       `json:"epoch_key"`
	Replicas []Replica `json:"replicas"`

	// the handshake: EI and ER are the ephemeral keys of guest and host, P1 and
	// P2 the payloads of M1 and M2
	NonceH   Hex `json:"nonce_h"`
	Hello    Hex `json:"hello"` // the box
	Prologue Hex `json:"prologue"`
	EIPriv   Hex `json:"ei_priv"`
	EIPub    Hex `json:"ei_pub"`
	ERPriv   Hex `json:"er_priv"`
	ERPub    Hex `json:"er_pub"`
	Admit    Hex `json:"admit"`
	P1       Hex `json:"p1"`
	P2       Hex `json:"p2"`
	M1       Hex `json:"m1"`
	M2       Hex `json:"m2"`

	// the channel
	H      Hex     `json:"h"`
	KI     Hex     `json:"kI"`
	KR     Hex     `json:"kR"`
	Frames []Frame `json:"frames"`

	// comparing and binding
	NH       Hex    `json:"nH"`
	NP       Hex    `json:"nP"`
	FH       Hex    `json:"fH"`
	FP       Hex    `json:"fP"`
	SID      Hex    `json:"sid"`
	Commit   Hex    `json:"commit"`
	SAS      Hex    `json:"sas"`
	Symbols  []int  `json:"emoji"`
	Digits   string `json:"digits"`
	KConfirm Hex    `json:"k_confirm"`
	DCP      Hex    `json:"dcP"`
	DCH      Hex    `json:"dcH"`
}

// Replica is the keys of one replica.
type Replica struct {
	Seed Hex `json:"seed"`
	Pub  Hex `json:"pub"`
	Seal Hex `json:"seal"`
}

// Frame is the SHA-256 of the n-th transport frame of either direction, n from
// 0, whose data is Len times the letter x.
type Frame struct {
	Len int `json:"pt_len"`
	I2R Hex `json:"i2r_sha256"`
	R2I Hex `json:"r2i_sha256"`
}

// Load returns all vectors. A file that lacks some, or has a field that nothing
// here names, fails the test.
func Load(t testing.TB) []Vector {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	file, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "testdata", "ar1-vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Suite   string   `json:"suite"`
		Vectors []Vector `json:"vectors"`
	}
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&content); err != nil {
		t.Fatal(err)
	}
	if content.Suite != "Noise_NKpsk0_P256_AESGCM_SHA256" || len(content.Vectors) != Count {
		t.Fatalf("%d vectors for %q", len(content.Vectors), content.Suite)
	}
	return content.Vectors
}
