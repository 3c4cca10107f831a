// The buttons along the foot of a call. People learn them by their
// names, so these stay; the short word under each picture is a part of its name.

import { html, nothing } from '../../kit/html.js';
import { icon } from '../../kit/icons.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('../media.js').MediaSnapshot} MediaSnapshot
 * @typedef {null | 'chat' | 'details' | 'people'} Panel
 * @typedef {{
 *   mute: (on: boolean) => void,
 *   camera: (on: boolean) => void,
 *   shareScreen: (on: boolean) => void,
 *   flip: () => void,
 *   retryMedia: (...kinds: import('../media.js').Kind[]) => void,
 *   panel: (panel: Panel) => void,
 *   leave: () => void,
 *   end: () => void,
 * }} ControlIntents
 */

/**
 * @param {{icon: import('../../kit/icons.js').IconName, word: string, name: string, onClick: () => void,
 *   tone?: 'off' | 'danger' | 'live', expanded?: boolean, controls?: string, badge?: number, disabled?: boolean}} options
 */
const tool = ({ icon: drawing, word, name, onClick, tone, expanded, controls, badge = 0, disabled = false }) => html`
  <button type="button" class="tool ${tone ? `tool-${tone}` : ''}" aria-label=${name} ?disabled=${disabled} @click=${onClick}
    aria-expanded=${expanded ?? nothing} aria-controls=${controls && expanded ? controls : nothing}
    aria-describedby=${badge ? 'chat-unread' : nothing}>
    ${icon(drawing)}
    ${badge ? html`<span class="tool-badge" aria-hidden="true">${badge > 9 ? '9+' : badge}</span>` : nothing}
    <span class="tool-word" aria-hidden="true">${word}</span>
  </button>`;

/**
 * @param {{media: MediaSnapshot, panel: Panel, unread: number, host: boolean, canShare: boolean, canFlip: boolean}} state
 * @param {ControlIntents} act
 */
export function controls({ media, panel, unread, host, canShare, canFlip }, act) {
  /** @param {Exclude<Panel, null>} name */
  const toggle = (name) => () => act.panel(panel === name ? null : name);
  return html`
    <div class="tools ${host ? 'tools-host' : ''}" role="group" aria-label=${say('call.controls')}>
      ${microphone(media, act)}
      ${camera(media, act)}
      ${canFlip ? tool({ icon: 'flip', word: say('call.flip.word'), name: say('call.flip'), disabled: media.video !== 'on', onClick: act.flip }) : nothing}
      ${canShare
        ? media.screen
          ? tool({ icon: 'screen', word: say('call.unshare.word'), name: say('call.unshare'), tone: 'live', onClick: () => act.shareScreen(false) })
          : tool({ icon: 'screen', word: say('call.share.word'), name: say('call.share'), onClick: () => act.shareScreen(true) })
        : nothing}
      ${host ? tool({ icon: 'people', word: say('desk.people'), name: say('desk.people'), expanded: panel === 'people', controls: 'panel', onClick: toggle('people') }) : nothing}
      ${tool({ icon: 'chat', word: say('call.chat'), name: say('call.chat'), expanded: panel === 'chat', controls: 'panel', badge: unread, onClick: toggle('chat') })}
      ${unread ? html`<span id="chat-unread" class="sr-only">${say('call.chat.unread', { n: unread })}</span>` : nothing}
      ${tool({ icon: 'leave', word: say('call.leave'), name: say('call.leave'), ...(!host && { tone: 'danger' }), onClick: act.leave })}
      ${host ? tool({ icon: 'end', word: say('desk.end.word'), name: say('desk.end'), tone: 'danger', onClick: act.end }) : nothing}
    </div>`;
}

/** @param {MediaSnapshot} media @param {ControlIntents} act */
function microphone(media, act) {
  switch (media.audio) {
    case 'on':
      return tool({ icon: 'mic', word: say('call.mute.word'), name: say('call.mute'), onClick: () => act.mute(true) });
    case 'muted':
      return tool({ icon: 'mic-off', word: say('call.unmute.word'), name: say('call.unmute'), tone: 'off', onClick: () => act.mute(false) });
    default:
      return tool({ icon: 'mic-off', word: say('call.no-microphone.word'), name: say('call.no-microphone'), tone: 'off', onClick: () => act.retryMedia('audio') });
  }
}

/** @param {MediaSnapshot} media @param {ControlIntents} act */
function camera(media, act) {
  switch (media.video) {
    case 'on':
      return tool({ icon: 'camera', word: say('call.camera'), name: say('call.camera-off'), onClick: () => act.camera(false) });
    case 'muted':
    case 'off':
      return tool({ icon: 'camera-off', word: say('call.camera'), name: say('call.camera-on'), tone: 'off', onClick: () => act.camera(true) });
    default:
      return tool({ icon: 'camera-off', word: say('call.no-camera.word'), name: say('call.no-camera'), tone: 'off', onClick: () => act.retryMedia('video') });
  }
}
