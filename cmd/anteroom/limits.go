package main

import "anteroom/node/crowd"

// limits returns how full this node's places for silent connections are, and
// what strangers have left of its searches.
func (d *daemon) limits() (list []limitReply) {
	add := func(name string, l *crowd.Lobby, most, mostOf int) {
		if l == nil {
			return
		}
		all, fullest := l.Size()
		list = append(list, limitReply{name, all, most}, limitReply{name + "_per_network", fullest, mostOf})
	}
	relay, front := d.cfg.Relay.Limits, d.cfg.Front.Limits
	add("relay.limits.silent", d.entrance.unsorted, relay.Silent, relay.SilentPerNetwork)
	add("front.limits.silent", d.entrance.unnamed, front.Silent, front.SilentPerNetwork)
	return append(list, limitReply{"front.limits.searches", d.node.Searched(), front.Searches})
}
