// The other end of rendezvous/seal's test of both languages. It reads frames,
// u32 length and content, from stdin and writes frames to stdout. A session is
// one frame of JSON that says who to be, the handshake, then sealed frames: the
// first is sent from here and tells the handshake's hash, the others are sent
// back as they came, until an empty one.
import { handshake, linkKeys, parseLink } from '../../static/link/seal.js';
import { Mailbox, accept, hex, p256Key, toHex } from './seal-home.mjs';

const frames = new Mailbox();
let rest = Buffer.alloc(0);
process.stdin.on('data', (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
    const end = 4 + rest.readUInt32BE();
    frames.push(new Uint8Array(rest.subarray(4, end)));
    rest = rest.subarray(end);
  }
});
process.stdin.on('end', () => process.exit());

const conn = {
  recv: () => frames.shift(),
  send(frame) {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(frame.length);
    process.stdout.write(Buffer.concat([head, frame]));
  },
};

for (;;) {
  const { role, link, welcome, scalar, point } = JSON.parse(Buffer.from(await frames.shift()).toString());
  const { channel, h, welcome: heard } =
    role === 'guest'
      ? await handshake(conn, await linkKeys(parseLink(link)))
      : await accept(conn, link, { privateKey: await p256Key(hex(scalar), hex(point)), publicKey: hex(point) }, hex(welcome));
  conn.send(await channel.seal(Buffer.from(JSON.stringify({ h: toHex(h), welcome: heard ? toHex(heard) : welcome }))));
  for (;;) {
    const data = await channel.open(await frames.shift());
    if (data.length === 0) break;
    conn.send(await channel.seal(data));
  }
}
