package httpui

import "anteroom/node/desk/api"

// A Backend is the node as the pages see it.
type Backend struct {
	// As returns the desk for whoever signed in under this id, which Accounts or
	// Server.LaunchURL named; with an empty one, for nobody.
	As func(practitioner string) api.Access

	Accounts api.Accounts
}
