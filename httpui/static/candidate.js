// ICE candidates, read to a typed structure and written anew, so that what
// reaches RTCPeerConnection (and what leaves this page) is only what is listed
// here. A relatedaddress is always written as zeros: connecting does not need
// it, and it is the address behind a NAT or a relay.

/**
 * @typedef {object} IceCandidate
 * @property {string} foundation
 * @property {number} priority
 * @property {string} address IPv4, IPv6 or an mDNS name; never another name, which would be looked up
 * @property {number} port
 * @property {'host' | 'srflx' | 'prflx' | 'relay'} type
 * @property {'udp' | 'tcp'} transport
 * @property {string} tcptype empty for UDP
 * @property {string} ufrag empty where the writer did not say
 */

const LINE = /^candidate:([A-Za-z0-9+/]{1,32}) 1 (udp|tcp) (\d{1,10}) (\S{1,64}) (\d{1,5}) typ (host|srflx|prflx|relay)((?: \S+ \S+)*)$/i;
const MDNS = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$/i;
const UFRAG = /^[A-Za-z0-9+/]{4,256}$/;

/** @param {string} s */
function isAddress(s) {
  const v4 = s.match(/^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/);
  if (v4) return v4.slice(1).every((part) => Number(part) <= 255);
  return MDNS.test(s) || (/^[0-9a-f:]{2,39}$/i.test(s) && s.includes(':'));
}

/**
 * Returns what text says, or null for what cannot be used: another component
 * than RTP, a name that would have to be looked up, anything malformed.
 * @param {string} text "candidate:…" as in RTCIceCandidate.candidate
 * @returns {IceCandidate | null}
 */
export function parseCandidate(text) {
  const m = LINE.exec(text);
  if (!m) return null;
  const [, foundation = '', transport = '', priority = '', address = '', port = '', type = '', rest = ''] = m;
  /** @type {Map<string, string>} */
  const extensions = new Map();
  const words = rest.split(' ').slice(1);
  for (let i = 0; i + 1 < words.length; i += 2) extensions.set(words[i] ?? '', words[i + 1] ?? '');
  const ufrag = extensions.get('ufrag') ?? '';
  const tcptype = transport.toLowerCase() === 'tcp' ? extensions.get('tcptype') ?? '' : '';
  if (!isAddress(address) || Number(port) > 65535 || Number(priority) >= 2 ** 32) return null;
  if ((ufrag !== '' && !UFRAG.test(ufrag)) || (transport.toLowerCase() === 'tcp' && !/^(active|passive|so)$/.test(tcptype))) return null;
  return {
    foundation,
    transport: transport.toLowerCase() === 'tcp' ? 'tcp' : 'udp',
    priority: Number(priority),
    address,
    port: Number(port),
    type: /** @type {IceCandidate['type']} */ (type.toLowerCase()),
    tcptype,
    ufrag,
  };
}

/** @param {IceCandidate} c @returns {string} without "a=" */
export function formatCandidate(c) {
  let text = `candidate:${c.foundation} 1 ${c.transport} ${c.priority} ${c.address} ${c.port} typ ${c.type}`;
  if (c.type !== 'host') text += c.address.includes(':') ? ' raddr :: rport 0' : ' raddr 0.0.0.0 rport 0';
  if (c.tcptype !== '') text += ` tcptype ${c.tcptype}`;
  if (c.ufrag !== '') text += ` ufrag ${c.ufrag}`;
  return text;
}

/**
 * Reports whether a browser at the other end could use c: browsers open TCP
 * connections for ICE but never listen, so two "active" ones cannot meet.
 * @param {IceCandidate} c
 */
export const reachable = (c) => c.tcptype !== 'active';
