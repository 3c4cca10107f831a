package relay

import (
	"bytes"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v5"
)

// answerMismatch answers what the library has left without an answer: a request,
// signed as it should be, about an allocation that has ended or is somebody
// else's. Browsers would ask again for most of a minute before they make
// another allocation.
func (f *endpoint) answerMismatch(q *request) {
	if !isSigned(q.b[:q.n]) {
		return
	}
	m := &stun.Message{Raw: bytes.Clone(q.b[:q.n])}
	if m.Decode() != nil {
		return
	}
	switch m.Type.Method {
	case stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind:
	default:
		return
	}
	var user stun.Username
	if user.GetFrom(m) != nil {
		return
	}
	name := user.String()
	key := stun.MessageIntegrity(turn.GenerateAuthKey(name, f.relay.realm, f.relay.password(name)))
	if key.Check(m) != nil {
		return
	}
	why := stun.CodeAllocMismatch
	f.relay.table.mu.RLock()
	if f.clients[addrPort(q.from)] != nil {
		why = stun.CodeWrongCredentials
	}
	f.relay.table.mu.RUnlock()
	answer, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.NewType(m.Type.Method, stun.ClassErrorResponse), why, key)
	if err == nil {
		f.WriteTo(answer.Raw, q.from)
	}
}
