package practice

import "context"

// Check reads all records and fails if they are not whole.
func (p *Practice) Check(ctx context.Context) error { return p.store.Check(ctx) }
