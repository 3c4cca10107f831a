package main

import "anteroom/node/admit"

// limits returns how full this node's places for silent connections are, and
// what strangers have left of its searches.
func (d *daemon) limits() (list []limitReply) {
	add := func(name string, l *admit.Backlog, most, mostOf int) {
		if l == nil {
			return
		}
		all, fullest := l.Size()
		list = append(list, limitReply{name, all, most}, limitReply{name + "_per_network", fullest, mostOf})
	}
	relay, front := d.cfg.Relay.Limits, d.cfg.Front.Limits
	add("relay.limits.silent", d.entrance.unsorted, relay.Silent, relay.SilentPerNetwork)
	add("front.limits.silent", d.entrance.unnamed, front.Silent, front.SilentPerNetwork)
	if f := d.entrance.front; f != nil {
		all, fullest := f.Handshakes()
		list = append(list, limitReply{"front.limits.handshakes", all, front.Handshakes}, limitReply{"front.limits.handshakes_per_network", fullest, front.HandshakesPerNetwork})
		all, fullest = f.Passed()
		list = append(list, limitReply{"front.limits.passed", all, front.Passed}, limitReply{"front.limits.passed_per_network", fullest, front.PassedPerNetwork})
	}
	return append(list, limitReply{"front.limits.searches", d.node.Searched(), front.Searches})
}
