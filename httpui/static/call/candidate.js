// ICE candidates, read to a typed structure and written anew, so that what
// reaches RTCPeerConnection (and what leaves this page) is only what is listed
// here. What another page names is where this browser will knock: never at what
// is nobody's address, and at a private one only if this end is in such a network
// itself. A relatedaddress is always written as zeros: connecting does not need
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

/**
 * Returns the private network that an address belongs to, "" if it is a public
 * one or an mDNS name, which only this network resolves. RFC 6890 lists them.
 * @param {string} address
 * @returns {string | null} null for what is no address of one host, or of a host that a call could be with
 */
export function networkOf(address) {
  if (MDNS.test(address)) return '';
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address)?.slice(1).map(Number);
  if (v4) return v4.every((part) => part <= 255) ? networkOf4(v4) : null;
  const v6 = groups(address);
  return v6 && networkOf6(v6);
}

/** @param {number[]} parts */
function networkOf4([a = 0, b = 0, c = 0]) {
  if (a === 0 || a >= 224 || (a === 169 && b === 254)) return null; // this host, multicast and reserved, link-local
  if (a === 127) return 'loopback';
  if (a === 10) return '10/8';
  if (a === 172 && b >> 4 === 1) return '172.16/12';
  if (a === 192 && b === 168) return '192.168/16';
  if (a === 100 && b >> 6 === 1) return '100.64/10'; // behind a carrier's NAT, and VPNs
  if (a === 192 && b === 0 && c === 0) return '192.0.0/24';
  return a === 198 && b >> 1 === 9 ? '198.18/15' : '';
}

/** @param {number[]} parts */
function networkOf6(parts) {
  const [a = 0] = parts;
  if (parts.join() === '0,0,0,0,0,0,0,1') return 'loopback';
  if (a >> 9 === 0x7e) return 'fc00/7';
  // 2000::/3 is what is given to hosts; 2002::/16 is an IPv4 address in other clothes, as some outside are.
  return a >> 13 === 1 && a !== 0x2002 ? '' : null;
}

/** @param {string} address @returns {number[] | null} the eight groups of an IPv6 address */
function groups(address) {
  const [head = '', tail, more] = address.split('::');
  if (!address.includes(':') || more !== undefined) return null;
  const [first, last] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':')));
  const all = tail === undefined ? first : [...(first ?? []), ...Array(Math.max(1, 8 - (first?.length ?? 0) - (last?.length ?? 0))).fill('0'), ...(last ?? [])];
  return all?.length === 8 && all.every((part) => /^[0-9a-f]{1,4}$/i.test(part)) ? all.map((part) => parseInt(part, 16)) : null;
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
  if (networkOf(address) === null || Number(port) > 65535 || Number(priority) >= 2 ** 32) return null;
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
 * Reports whether c leads to a browser: browsers open TCP connections for ICE
 * but never listen, so only a relay could be reached by one.
 * @param {IceCandidate} c
 */
export const reachable = (c) => c.transport === 'udp' || c.type === 'relay';
