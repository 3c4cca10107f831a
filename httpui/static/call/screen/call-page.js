// What both pages do around a call besides showing it: the person's intents
// that are the same for everybody, and the news that is worth speaking.

import { ofTab } from '../../kit/storage.js';
import { excerpt } from '../../kit/format.js';
import { callName, pausedText, trusted, truthLine } from './view-truth.js';
import { announce } from '../../kit/view-shell.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('../../kit/sound.js').Sounds} Sounds
 * @typedef {import('../media.js').Media} Media
 * @typedef {import('../media.js').MediaSnapshot} MediaSnapshot
 * @typedef {import('../call.js').PeerView} PeerView
 * @typedef {import('../call.js').ChatLine} ChatLine
 * @typedef {import('./view-call.js').CallUi} CallUi
 * @typedef {import('./view-call.js').CallIntents} CallIntents
 * @typedef {{value: CallUi, set: (patch: Partial<CallUi>) => void}} CallUiStore
 */

const quietKey = 'anteroom-chat-quiet';

/** @returns {CallUi} as each call begins */
export const newCallUi = () => ({
  panel: null,
  selfView: true,
  soundBlocked: false,
  seen: 0,
  copiedChat: null,
  arrived: null,
  chatSound: ofTab.getItem(quietKey) === null,
  speaker: '',
  timeNoted: false,
  deviceNoted: null,
});

/** Whether this browser can show its screen to others; phones cannot. */
export const canShareScreen = 'getDisplayMedia' in (navigator.mediaDevices ?? {}) && !matchMedia('(pointer: coarse) and (hover: none)').matches;

/** @param {MediaSnapshot} media a phone with a front and a back camera; to ask for the pointer takes a browser longer */
export const canFlipCamera = (media) =>
  media.inputs.filter(({ kind }) => kind === 'videoinput').length > 1 && matchMedia('(pointer: coarse)').matches;

/**
 * @param {{media: Media, sounds: Sounds, ui: CallUiStore, sendChat: CallIntents['sendChat'],
 *   leave: () => void, end: () => void, play: () => Promise<void>}} page
 *   play: starts every picture on the page again
 * @returns {CallIntents}
 */
export function callIntents({ media, sounds, ui, sendChat, leave, end, play }) {
  const useSpeaker = (/** @type {string} */ id) => {
    ui.set({ speaker: id });
    sounds.useSpeaker(id);
  };
  const usualSpeaker = () => {
    if (ui.value.speaker === '') return;
    useSpeaker('');
    media.note('speaker-other');
  };
  // What is played on a speaker that was unplugged is heard by nobody.
  media.subscribe(({ inputs }) => {
    if (!inputs.some(({ kind, id }) => kind === 'audiooutput' && id === ui.value.speaker)) usualSpeaker();
  });
  return {
    mute: (on) => void media.mute(on),
    camera: (on) => void media.camera(on),
    shareScreen: (on) => void media.shareScreen(on),
    flip: () => void flip(media),
    retryMedia: (...kinds) => void media.start({ audio: kinds.includes('audio'), video: kinds.includes('video') }),
    switchDevice(kind, id) {
      if (kind !== 'audiooutput') return void media.switchDevice(kind, id);
      useSpeaker(id);
    },
    speakerRefused: usualSpeaker,
    panel: (panel) => ui.set({ panel, ...(panel === 'chat' && { arrived: null }) }),
    closePanel: () => ui.set({ panel: null }),
    sendChat,
    soundChat(on) {
      if (on) ofTab.removeItem(quietKey);
      else ofTab.setItem(quietKey, '1');
      ui.set({ chatSound: on });
    },
    async copyChat({ text }, key) {
      if (await copy(text)) ui.set({ copiedChat: key });
    },
    showSelf: (on) => ui.set({ selfView: on }),
    soundBlocked: () => ui.set({ soundBlocked: true }),
    async tapForSound() {
      void sounds.unlock();
      ui.set({ soundBlocked: false });
      await play(); // says so again if it is still blocked
    },
    noteTime: () => ui.set({ timeNoted: true }),
    noteDevice: (text) => ui.set({ deviceNoted: text }),
    leave,
    end,
  };
}

/** How long the first words of a message stay over the picture, milliseconds: to notice and read two lines takes half of that. */
const ARRIVED_MS = 10_000;
/** The shortest time from one sound of a message to the next, milliseconds. */
const SOUND_MS = 4_000;

/** Shows what is written while the chat is not open, and lets it be heard. */
export class Arrivals {
  #sounds;
  #ui;
  /** @type {ChatLine | undefined} */ #latest;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #going;
  #sounded = -Infinity;

  /** @param {{sounds: Pick<Sounds, 'message'>, ui: CallUiStore}} page */
  constructor({ sounds, ui }) {
    this.#sounds = sounds;
    this.#ui = ui;
  }

  /** @param {ChatLine[]} chat as it is now */
  look(chat) {
    const line = chat[chat.length - 1];
    if (line === this.#latest) return;
    this.#latest = line;
    const { panel, chatSound } = this.#ui.value;
    if (line === undefined) return this.#show(null);
    if (line.from === 'self') return;
    if (panel !== 'chat') this.#show(line);
    if (!chatSound || (panel === 'chat' && !document.hidden) || performance.now() - this.#sounded < SOUND_MS) return;
    this.#sounded = performance.now();
    this.#sounds.message();
  }

  /** @param {ChatLine | null} line */
  #show(line) {
    clearTimeout(this.#going);
    this.#ui.set({ arrived: line });
    if (line) this.#going = setTimeout(() => this.#ui.set({ arrived: null }), ARRIVED_MS);
  }
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} false if the browser would not
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The other camera of a phone.
 * @param {Media} media
 */
async function flip(media) {
  const { inputs, stream } = media.snapshot;
  const cameras = inputs.filter(({ kind }) => kind === 'videoinput');
  const current = stream?.getVideoTracks()[0]?.getSettings().deviceId;
  const next = cameras[(cameras.findIndex(({ id }) => id === current) + 1) % cameras.length];
  if (next) await media.switchDevice('videoinput', next.id);
}

/**
 * @typedef {{peers: PeerView[], chat: ChatLine[], media: MediaSnapshot | null}} Heard
 */

/**
 * What changed in a call, in words for those who cannot see it: who came and
 * went, new messages, microphone, camera and screen.
 * @param {Heard | null} before
 * @param {Heard} after
 * @param {{chatOpen: boolean}} options the log speaks by itself while it is open
 * @returns {string[]}
 */
export function news(before, after, { chatOpen }) {
  if (!before) return [];
  /** @type {string[]} */
  const said = [];
  const verified = (/** @type {PeerView[]} */ peers) => new Map(peers.filter(({ state }) => state === 'verified').map((peer) => [peer.member, peer]));
  const were = new Map(before.peers.map((peer) => [peer.member, peer]));
  const arrived = verified(before.peers);
  for (const [member, peer] of verified(after.peers)) if (!arrived.has(member)) said.push(say('call.news.connected', { name: callName(peer) }));
  for (const { member } of after.peers) were.delete(member);
  for (const peer of were.values()) said.push(say('call.news.left', { name: callName(peer) }));
  const latest = after.chat.length > before.chat.length ? after.chat[after.chat.length - 1] : undefined;
  if (latest && latest.from !== 'self' && !chatOpen) said.push(say('call.news.message', { name: latest.name || say('call.guest'), text: excerpt(latest.text) }));
  const was = before.media;
  const is = after.media;
  if (was && is) {
    if (was.audio === 'on' && is.audio === 'muted') said.push(say('call.news.microphone-off'));
    if (was.audio === 'muted' && is.audio === 'on') said.push(say('call.news.microphone-on'));
    if (was.video === 'on' && is.video !== 'on') said.push(say('call.news.camera-off'));
    if (was.video !== 'on' && is.video === 'on') said.push(say('call.news.camera-on'));
    const paused = pausedText(after.peers);
    if (paused && paused !== pausedText(before.peers)) said.push(paused);
    if (was.video === 'on' && is.video === 'on' && !paused && pausedText(before.peers)) said.push(say('call.news.resumed'));
    if (was.screen !== is.screen) said.push(say(is.screen ? 'call.news.sharing' : 'call.news.not-sharing'));
  }
  return said;
}

/** Follows a call on the screen, and tells what is new in it to those who do not see or do not look. */
export class CallNews {
  #ui;
  #arrivals;
  /** @type {Heard | null} */ #last = null;

  /** @param {{sounds: Pick<Sounds, 'message'>, ui: CallUiStore}} page */
  constructor({ sounds, ui }) {
    this.#ui = ui;
    this.#arrivals = new Arrivals({ sounds, ui });
  }

  /** What is on the screen next is another call, or the same from its beginning. */
  forget() {
    this.#last = null;
  }

  /** Call it after each render of a call. @param {Heard} now */
  look(now) {
    const { panel, seen } = this.#ui.value;
    if (panel === 'chat' && seen !== now.chat.length) this.#ui.set({ seen: now.chat.length });
    this.#arrivals.look(now.chat);
    const said = news(this.#last, now, { chatOpen: panel === 'chat' });
    if (said.length) announce(said.join(' '));
    this.#last = now;
  }
}

/**
 * The level of trust never changes without a visible event: this is the
 * sentence for it, or null.
 * @param {PeerView[]} before
 * @param {PeerView[]} after
 */
export function trustChange(before, after) {
  const settled = (/** @type {PeerView[]} */ peers) => trusted(peers) && peers.every(({ truth }) => truth.path !== null);
  if (!settled(before) || !settled(after)) return null;
  const same = before.length === after.length && before.every(({ member }, i) => member === after[i]?.member);
  const [was, is] = [truthLine(before), truthLine(after)];
  return same && was !== is ? say('call.truth.changed', { truth: is }) : null;
}
