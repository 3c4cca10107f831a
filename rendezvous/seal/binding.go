package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// A side's role in a binding MAC, so that neither side's can be sent back as
// the other's.
const (
	RoleHost  = "H"
	RoleGuest = "P"
)

// BindingMAC ties a media connection to the channel that introduced it. Each
// side sends its own over the data channel, and checks the other's, which is
// made with the other role and the fingerprints changed round.
//
// key and h are from the introduction; self and peer are the SHA-256
// fingerprints of the two DTLS certificates. PROTOCOL.md, "Media binding".
func BindingMAC(key [32]byte, role string, h, self, peer [32]byte) [32]byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("ar1 dc" + role))
	mac.Write(h[:])
	mac.Write(self[:])
	mac.Write(peer[:])
	return [32]byte(mac.Sum(nil))
}

// CompareCommit is the host's commitment to nH, sent before the guest's nonce
// is known: it leaves whoever sits between them one guess.
func CompareCommit(h, nH [32]byte) [32]byte {
	return sha256.Sum256(slices.Concat([]byte("ar1 sas-commit"), h[:], nH[:]))
}

// A CompareCode is what two people read to each other.
type CompareCode struct {
	Symbols [5]int // each one of 64
	Digits  string // nine
}

// Compare returns the code of a connection: h is the handshake hash, nH and nP
// the nonces of host and guest, fpH and fpP their certificates' fingerprints
// and sid the channel's name from the welcome. PROTOCOL.md, "Compare code".
func Compare(h, nH, nP, fpH, fpP, sid [32]byte) CompareCode {
	s := compareString(h, nH, nP, fpH, fpP, sid)
	var code CompareCode
	for i := range code.Symbols { // the first 30 bits
		code.Symbols[i] = int(binary.BigEndian.Uint32(s[:])>>(26-6*i)) & 63
	}
	code.Digits = fmt.Sprintf("%09d", binary.BigEndian.Uint64(s[8:])%1_000_000_000)
	return code
}

func compareString(h, nH, nP, fpH, fpP, sid [32]byte) [16]byte {
	info := slices.Concat([]byte("ar1 sas"), fpH[:], fpP[:], sid[:])
	s, err := hkdf.Key(sha256.New, slices.Concat(nH[:], nP[:]), h[:], string(info), 16)
	if err != nil { // only a FIPS build refuses, and only shorter keys
		panic("derive compare code: " + err.Error())
	}
	return [16]byte(s)
}
