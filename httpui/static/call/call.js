// The two calls a page can be in, and what they tell it. Snapshots are plain
// and never change; intents are the methods. Nothing here touches the page.

export { GuestCall } from './guest-call.js';
export { HostCall } from './host-call.js';

/**
 * @typedef {import('../link/wire.js').Welcome} Welcome
 * @typedef {import('../link/wire.js').RosterEntry} RosterEntry
 * @typedef {import('./mesh.js').PeerView} PeerView
 * @typedef {import('./chat.js').ChatLine} ChatLine
 */
/**
 * opening: no word from the home node yet. ready: Join can be pressed (see
 * welcome.state). ended: for good, code says why.
 * @typedef {'opening' | 'ready' | 'joining' | 'waiting' | 'call' | 'held' | 'ended'} GuestPhase
 */
/**
 * code: why the phase is ended, the connection reconnecting or the last attempt
 * at joining failed, else null.
 * alarm: another device tried this guest's link.
 * @typedef {object} GuestSnapshot
 * @property {GuestPhase} phase @property {'online' | 'reconnecting'} connection @property {string | null} code
 * @property {Welcome | null} welcome @property {string | null} self @property {boolean} alarm
 * @property {PeerView[]} peers @property {ChatLine[]} chat
 */
/**
 * elsewhere: another tab of this practitioner has the room; start({take: true})
 * brings it here. refusal: why somebody was not let in, or not yet (offline); a new object each time.
 * members: who was admitted, without the practitioner.
 * @typedef {object} HostSnapshot
 * @property {string} appointment @property {'connecting' | 'attending' | 'elsewhere' | 'ended'} phase
 * @property {'online' | 'reconnecting'} connection @property {string | null} code @property {{code: string} | null} refusal @property {Welcome | null} welcome
 * @property {RosterEntry[]} waiting @property {RosterEntry[]} members @property {boolean} locked
 * @property {PeerView[]} peers @property {ChatLine[]} chat @property {string[]} alarm ids of members whose link was tried on another device
 */
