// Package message is how Go speaks to people: it names a sentence and what is
// to stand in it, and leaves the words to a catalogue (httpui/words). The
// terminal and the log are English and need none of it.
package message

// A Message is one thing to say.
type Message struct {
	Code string `json:"code"` // of the sentence in the catalogue; the empty one says nothing
	Args Args   `json:"args,omitempty"`
}

// Args are what stands in a sentence, by the names that it gives them: a
// string, an int, a list of strings, a Message, or a list of Messages.
type Args map[string]any

// New returns the sentence of that code; args may be nil.
func New(code string, args Args) Message { return Message{code, args} }
