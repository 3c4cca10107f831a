// Whether this browser, where it is, could carry a call: found out before the
// appointment, over the very relays that the call would use.

/**
 * @typedef {import('../link/wire.js').ICEServer} ICEServer
 * @typedef {import('../link/wire.js').PathResult} PathResult
 */

/** How long one transport may take: a slow mobile network's look-up, TLS and all. */
const PATIENCE_MS = 8_000;

/**
 * Sends a word through the relays and back, over UDP, and if that does not
 * work over TCP and TLS.
 * @param {ICEServer[]} servers of the welcome
 * @param {{rtc?: typeof RTCPeerConnection, signal?: AbortSignal}} [options]
 * @returns {Promise<PathResult | null>} null if there is no relay to ask
 */
export async function testPath(servers, { rtc = RTCPeerConnection, signal } = {}) {
  const relays = (/** @type {RegExp} */ kind) =>
    servers.map(({ urls, ...rest }) => ({ ...rest, urls: urls.filter((url) => kind.test(url)) })).filter(({ urls }) => urls.length > 0);
  const [udp, tcp] = [relays(/^turn:.*transport=udp$/), relays(/^turns?:.*transport=tcp$/)];
  if (udp.length + tcp.length === 0) return null;
  if (udp.length > 0 && (await roundTrip(udp, rtc, signal))) return 'good';
  if (signal?.aborted) return null;
  if (tcp.length > 0 && (await roundTrip(tcp, rtc, signal))) return 'slow';
  return 'blocked';
}

/**
 * Two connections of this page meet at the relay. Nobody else is asked.
 * @param {ICEServer[]} iceServers @param {typeof RTCPeerConnection} rtc @param {AbortSignal} [signal]
 * @returns {Promise<boolean>} whether what one said came to the other
 */
async function roundTrip(iceServers, rtc, signal) {
  const config = /** @type {RTCConfiguration} */ ({ iceServers, iceTransportPolicy: 'relay' });
  const [a, b] = [new rtc(config), new rtc(config)];
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
  try {
    let agreed = () => {};
    const agreement = new Promise((resolve) => { agreed = () => resolve(undefined); });
    for (const [from, to] of [[a, b], [b, a]]) {
      from?.addEventListener('icecandidate', ({ candidate }) => candidate && void agreement.then(() => to?.addIceCandidate(candidate)).catch(() => {}));
    }
    const options = { negotiated: true, id: 0 };
    const [here, there] = [a.createDataChannel('test', options), b.createDataChannel('test', options)];
    const heard = new Promise((resolve) => {
      here.addEventListener('open', () => here.send('hello'), { once: true });
      there.addEventListener('message', () => resolve(true), { once: true });
      timer = setTimeout(() => resolve(false), PATIENCE_MS);
      signal?.addEventListener('abort', () => resolve(false), { once: true });
    });
    await a.setLocalDescription();
    if (a.localDescription) await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription();
    if (b.localDescription) await a.setRemoteDescription(b.localDescription);
    agreed();
    return Boolean(await heard);
  } catch {
    return false; // a browser without one of the parts
  } finally {
    clearTimeout(timer);
    a.close();
    b.close();
  }
}
