/**
 * Returns who is held now. A roster says of a member whose page is away only
 * that; their media may go on, so they stay as they were.
 * @param {ReadonlySet<string>} before
 * @param {import('../link/wire.js').RosterEntry[]} members
 * @returns {Set<string>}
 */
export function heldNow(before, members) {
  const held = members.filter((m) => m.state === 'held' || (m.state === 'disconnected' && before.has(m.member)));
  return new Set(held.map((m) => m.member));
}
