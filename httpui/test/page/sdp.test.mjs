// Descriptions of real browsers survive; whatever could weaken the one kind of
// session there is does not. The fixtures are what Chromium 156 and Firefox 153
// wrote to each other.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { formatCandidate, networkOf, parseCandidate, reachable } from '../../static/call/candidate.js';
import { SdpError, format, outgoing, parse, sparing } from '../../static/call/sdp.js';

const pairs = JSON.parse(readFileSync(new URL('fixtures/descriptions.json', import.meta.url), 'utf8'));
const descriptions = Object.entries(pairs).flatMap(([pair, kinds]) =>
  Object.entries(kinds).filter(([, sdp]) => typeof sdp === 'string').map(([kind, sdp]) => ({ name: `${pair} ${kind}`, kind, sdp })));
const offer = pairs['chromium-chromium'].offer;
const firefox = pairs['firefox-firefox'].offer;

test('there are fixtures', () => assert.equal(descriptions.length, 16));

test('descriptions of real browsers survive, and are written the same way twice', () => {
  for (const { name, kind, sdp } of descriptions) {
    const session = parse(sdp);
    const written = format(session);
    assert.equal(format(parse(written)), written, name);
    assert.deepEqual(parse(written), session, name);
    assert.deepEqual(session.sections.map((s) => s.kind), ['audio', 'video', 'application'], name);
    assert.ok(session.sections.every((s) => !s.rejected && s.direction === 'sendrecv'), name);
    assert.equal(session.setup, /offer/i.test(kind) ? 'actpass' : 'active', name);
    assert.deepEqual(session.sections[0].codecs.filter((c) => c.name === 'opus').length, 1, name);
    assert.ok(session.sections[1].codecs.some((c) => c.name === 'VP8'), name);
    assert.equal(session.sections[2].sctpPort, 5000, name);
    assert.ok(written.length < 8_000, name);
  }
});

test('an offer and the answer to it agree on mids, codecs and extensions', () => {
  for (const { offer: o, answer: a } of Object.values(pairs)) {
    const [ours, theirs] = [parse(o), parse(a)];
    for (const [i, section] of theirs.sections.entries()) {
      assert.equal(section.mid, ours.sections[i].mid);
      const offered = new Set(ours.sections[i].codecs.map((c) => `${c.pt} ${c.name}`));
      assert.ok(section.codecs.every((c) => offered.has(`${c.pt} ${c.name}`)));
      const ids = new Map(ours.sections[i].extensions.map((e) => [e.id, e.uri]));
      assert.ok(section.extensions.every((e) => ids.get(e.id) === e.uri));
    }
  }
});

test('what is sparing differs in nothing but how sound is packed', () => {
  for (const { name, sdp } of descriptions) {
    const session = parse(sdp);
    const [plain, spared] = [session, sparing(session)].map((s) => format(s).split('\r\n'));
    assert.ok(!plain.some((l) => l.startsWith('a=ptime')), name);
    assert.ok(spared.includes('a=ptime:60') && spared.filter((l) => /^a=rtpmap:\d+ opus/i.test(l)).length === 1, name);
    const gone = plain.filter((l) => !spared.includes(l));
    assert.ok(gone.every((l) => /^m=audio /.test(l) || /^a=(rtpmap:\d+ red\/48000|fmtp:\d+ \d+\/\d+|rtcp-fb:)/.test(l)), `${name}: ${gone}`);
    assert.equal(parse(spared.join('\r\n')).sections.length, session.sections.length, name);
  }
});

test('only what is listed is let through', () => {
  for (const { name, sdp } of descriptions) {
    const written = format(parse(sdp));
    for (const word of ['G722', 'PCMU', 'telephone-event', 'audio-level', 'rtcp-xr', 'generation', 'network-id', 'network-cost', 'THIS_IS_SDPARTA', 'a=rtcp:']) {
      assert.ok(!written.includes(word), `${name}: ${word}`);
    }
    for (const line of written.trimEnd().split('\r\n')) {
      assert.match(line, /^(v=0|o=- \d+ \d+ IN IP4 127\.0\.0\.1|s=-|t=0 0|c=IN IP4 0\.0\.0\.0|m=(audio|video|application) [09] .*|a=(group|msid-semantic|mid|sendrecv|rtcp-mux|rtcp-rsize|extmap|extmap-allow-mixed|msid|rtpmap|fmtp|rtcp-fb|ssrc|ssrc-group|ice-ufrag|ice-pwd|ice-options|fingerprint|setup|candidate|sctp-port|max-message-size)\b.*)$/, name);
    }
  }
});

test('sound is sent with error correction, without gaps, and its level stays private', () => {
  const opus = parse(firefox).sections[0].codecs[0];
  assert.match(opus.fmtp, /useinbandfec=1;usedtx=0/);
  assert.ok(!format(parse(offer)).includes('ssrc-audio-level'));
});

test('certificates: exactly one, SHA-256, everywhere', () => {
  const print = /a=fingerprint:sha-256 [0-9A-F:]+/.exec(offer)[0];
  const other = print.replace(/.$/, (c) => (c === '0' ? '1' : '0'));
  const refusedCases = {
    'a second one': offer.replace(`${print}\r\n`, `${print}\r\n${other}\r\n`),
    'another in one section': offer.slice(0, offer.lastIndexOf(print)) + other + offer.slice(offer.lastIndexOf(print) + print.length),
    'another for the session': offer.replace('t=0 0\r\n', `t=0 0\r\n${other}\r\n`),
    'another hash': offer.replaceAll('fingerprint:sha-256', 'fingerprint:sha-1'),
    'another hash besides': offer.replace(`${print}\r\n`, `${print}\r\na=fingerprint:sha-512 ${'AB:'.repeat(63)}AB\r\n`),
    'too short': offer.replaceAll(print, print.slice(0, -3)),
    'not hexadecimal': offer.replaceAll(print, print.replace(/..$/, 'GG')),
    'none': offer.replaceAll(`${print}\r\n`, ''),
    'none in one section': offer.replace(`${print}\r\n`, ''),
  };
  for (const [name, sdp] of Object.entries(refusedCases)) refused(sdp, name);
  assert.deepEqual(parse(offer.replaceAll(print, print.toLowerCase().replace('a=fingerprint:sha-256', 'a=fingerprint:SHA-256'))).fingerprint, parse(offer).fingerprint);
});

test('other ways to agree on keys, and other transports, are refused', () => {
  const add = (line) => offer.replace('a=mid:0\r\n', `a=mid:0\r\n${line}\r\n`);
  for (const line of ['a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA', 'a=identity:eyJ', 'a=key-mgmt:mikey AA', 'a=zrtp-hash:1.10 aa', 'A=crypto:1', 'a=CRYPTO:1 x inline:y']) {
    refused(add(line), line);
    refused(offer.replace('t=0 0\r\n', `t=0 0\r\n${line}\r\n`), line);
  }
  for (const proto of ['RTP/AVP', 'RTP/SAVP', 'RTP/SAVPF', 'UDP/TLS/RTP/SAVP', 'TCP/TLS/RTP/SAVPF', 'TCP/DTLS/SCTP']) {
    refused(offer.replace('UDP/TLS/RTP/SAVPF', proto), proto);
  }
  refused(offer.replace('webrtc-datachannel', 'webrtc-other'));
  refused(offer.replaceAll('a=setup:actpass', 'a=setup:holdconn'));
  refused(offer.replace('a=setup:actpass', 'a=setup:passive'), 'two parts in one handshake');
  refused(offer.replaceAll('a=rtcp-mux\r\n', ''), 'RTCP on a port of its own');
  refused(offer.replace('a=group:BUNDLE 0 1 2', 'a=group:BUNDLE 0 1'), 'a section outside the bundle');
  refused(offer.replace('a=ice-ufrag:L4Hl', 'a=ice-ufrag:L4HX'), 'two transports');
});

test('the shape is fixed: at most one section of each kind', () => {
  const sections = offer.split(/(?=m=)/);
  refused(sections[0], 'none');
  refused(offer + sections[1], 'two of a kind');
  refused(offer + sections[2].replace('a=mid:1', 'a=mid:9'), 'four');
  refused(offer.replace('a=mid:1', 'a=mid:0'), 'one mid twice');
  refused(offer.replace('m=audio', 'm=text'));
  refused(offer.replace('m=audio', 'm=image'));
  const audioOnly = (sections[0] + sections[1]).replace('BUNDLE 0 1 2', 'BUNDLE 0');
  assert.equal(parse(audioOnly).sections.length, 1);
});

test('a rejected section stays rejected', () => {
  const sections = pairs['chromium-chromium'].answer.split(/(?=m=)/);
  sections[2] = 'm=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\n';
  const written = format(parse(sections.join('').replace('BUNDLE 0 1 2', 'BUNDLE 0 2')));
  assert.match(written, /m=video 0 /);
  assert.match(written, /a=group:BUNDLE 0 2\r\n/);
});

test('malformed text is refused, in bounded time', () => {
  for (const [name, sdp] of Object.entries({
    empty: '', 'no version': offer.slice(5), 'another version': offer.replace('v=0', 'v=1'), 'no origin': offer.replace(/o=.*\r\n/, ''),
    'a line that is not one': offer + 'hello\r\n', 'a control character': offer.replace('a=sendrecv', 'a=send\u0007recv'),
    'a carriage return within': offer.replace('a=sendrecv', 'a=send\rrecv'), 'not ASCII': offer.replace('a=sendrecv', 'a=sendrecé'),
    'too long': offer + 'a=x\r\n'.repeat(3_000), 'codec parameters': offer.replace('apt=96', 'apt=96<script>'),
    'one extension number twice': offer.replace('a=extmap:13', 'a=extmap:2'),
  })) refused(sdp, name);
  for (let i = 0; i < 500; i++) {
    const at = Math.floor((offer.length * i) / 500);
    const mutated = offer.slice(0, at) + String.fromCharCode((offer.charCodeAt(at) + 1 + (i % 90)) % 128) + offer.slice(at + 1);
    try {
      format(parse(mutated));
    } catch (err) {
      assert.ok(err instanceof SdpError, `${i}: ${err}`);
    }
  }
});

test('repair goes with what it repairs', () => {
  const codecs = parse(offer.replace('a=rtpmap:98 VP9/90000', 'a=rtpmap:98 H265/90000')).sections[1].codecs.map((c) => c.pt);
  assert.ok(!codecs.includes(98) && !codecs.includes(99) && codecs.includes(100));
});

test('candidates of real browsers are read', () => {
  for (const { candidates } of Object.values(pairs)) {
    for (const text of candidates) {
      const c = parseCandidate(text);
      if (text === '' || /^candidate:\S+ 2 /.test(text)) assert.equal(c, null, text);
      else assert.deepEqual(parseCandidate(formatCandidate(c)), c, text);
    }
  }
  assert.equal(parseCandidate(pairs['chromium-chromium'].candidates[0]).ufrag, 'L4Hl');
  const tcp = parseCandidate('candidate:2022468249 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active generation 0');
  assert.equal(reachable(tcp), false);
});

test('candidates name addresses, never names to look up', () => {
  const at = (address) => parseCandidate(`candidate:1 1 udp 1 ${address} 9 typ host`);
  for (const good of ['192.0.2.2', 'fd00::2', '::1', '2001:db8::1:2', 'd9b522da-cf8c-4d7f-9207-0508708d2a95.local']) assert.equal(at(good)?.address, good);
  for (const bad of ['evil.example', 'localhost', '256.1.1.1', '1.2.3', 'x.local', 'fe80::1%eth0', '[::1]', 'a'.repeat(65), '192.0.2.2.example', 'deadbeef']) assert.equal(at(bad), null, bad);
  for (const bad of ['', 'candidate:', 'a=candidate:1 1 udp 1 192.0.2.2 9 typ host', 'candidate:1 1 udp 1 192.0.2.2 70000 typ host',
    'candidate:1 1 sctp 1 192.0.2.2 9 typ host', 'candidate:1 1 udp 1 192.0.2.2 9 typ other', 'candidate:1 1 udp 1 192.0.2.2 9 typ host x',
    'candidate:1 1 tcp 1 192.0.2.2 9 typ host', 'candidate:1 1 udp 1 192.0.2.2 9 typ host\r\na=crypto:1', 'candidate:1 1 udp 9999999999 192.0.2.2 9 typ host',
    'candidate:1 1 udp 1 192.0.2.2 9 typ host ufrag <x>']) assert.equal(parseCandidate(bad), null, bad);
});

test('the network of an address is known, and what is nobody’s address', () => {
  const networks = {
    '': ['192.0.2.2', '8.8.8.8', '172.15.0.1', '172.32.0.1', '192.169.0.1', '100.63.255.255', '100.128.0.1', '11.0.0.1', '169.253.0.1', '192.0.1.1', '198.20.0.1', '223.255.255.255',
      '2001:db8::1', '2a01:4f8:0:0:0:0:0:1', 'd9b522da-cf8c-4d7f-9207-0508708d2a95.local'],
    '10/8': ['10.0.0.1', '10.255.255.255'],
    '172.16/12': ['172.16.0.1', '172.31.255.255'],
    '192.168/16': ['192.168.0.1', '192.168.255.255'],
    '100.64/10': ['100.64.0.1', '100.127.255.255'],
    '192.0.0/24': ['192.0.0.2'],
    '198.18/15': ['198.18.0.1', '198.19.255.255'],
    loopback: ['127.0.0.1', '127.255.0.1', '::1', '0:0:0:0:0:0:0:1', '0::0001'],
    'fc00/7': ['fc00::1', 'fd12:3456::1', 'FDFF:ffff::1'],
  };
  for (const [network, addresses] of Object.entries(networks)) for (const address of addresses) assert.equal(networkOf(address), network, address);
  const nobody = ['0.0.0.0', '0.1.2.3', '169.254.0.1', '169.254.169.254', '224.0.0.1', '239.255.255.250', '255.255.255.255', '240.0.0.1', '256.0.0.1', '01234.1.1.1',
    '::', '0:0:0:0:0:0:0:0', '::7f00:1', '::ffff:7f00:1', '::ffff:a00:1', '::ffff:0:a00:1', '64:ff9b::a00:1', '2002:7f00:1::', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::fb', 'ff02::1',
    '1::2::3', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::1', ':1', '1:', 'evil.example'];
  for (const address of nobody) {
    assert.equal(networkOf(address), null, address);
    assert.equal(parseCandidate(`candidate:1 1 udp 1 ${address} 9 typ host`), null, address);
  }
  const tcp = (type, tcptype) => reachable(parseCandidate(`candidate:1 1 tcp 1 192.0.2.2 9 typ ${type} tcptype ${tcptype}`));
  for (const tcptype of ['active', 'passive', 'so']) for (const type of ['host', 'srflx', 'prflx']) assert.equal(tcp(type, tcptype), false);
  assert.equal(tcp('relay', 'passive'), true);
});

test('the address behind a relay or a NAT is not passed on', () => {
  const c = parseCandidate('candidate:1 1 udp 1 198.51.100.7 9 typ relay raddr 203.0.113.9 rport 4711 generation 0 network-cost 10');
  assert.equal(formatCandidate(c), 'candidate:1 1 udp 1 198.51.100.7 9 typ relay raddr 0.0.0.0 rport 0');
});

test('what leaves has no candidate that a browser cannot use, and names the offer it answers', () => {
  const session = parse(outgoing(offer, '42 7'));
  assert.equal(session.answers, '42 7');
  assert.ok(session.candidates.length > 0 && session.candidates.every((c) => c.transport === 'udp'));
  assert.equal(parse(offer).answers, '');
  assert.equal(parse(offer.replace('t=0 0\r\n', 't=0 0\r\na=x-answers:4 x\r\n')).answers, '');
});

function refused(sdp, name = '') {
  assert.throws(() => parse(sdp), SdpError, name);
}
