package node

// Clear is what Run does every minute.
func (n *Node) Clear() { n.clear(n.lifetime) }

// PatienceAfter is how long after the window somebody may go on waiting.
const PatienceAfter = patienceAfter
