package records

import (
	"testing"

	"anteroom/discovery/records/recordtest"
)

func BenchmarkValidate(b *testing.B) {
	name := recordtest.New(b)
	key, rec := routingKey(name.PublicKey), name.Sign(b, recordtest.Draft{})
	for b.Loop() {
		if err := (validator{}).Validate(key, rec); err != nil {
			b.Fatal(err)
		}
	}
}
