package api

import "anteroom/node/message"

// What the node says to a person, in no language: see package message.
type (
	Message = message.Message
	Args    = message.Args
)

// NewMessage returns the sentence of that code; args may be nil.
func NewMessage(code string, args Args) Message { return message.New(code, args) }
