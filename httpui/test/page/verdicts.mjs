// Answers each line of stdin, a frame in hex, with what wire.js makes of it:
// "ok <hex of the frame as it encodes it>", "unknown" or "bad". Its other half
// is rendezvous/wire/twin_test.go.
import {createInterface} from 'node:readline';
import {decode, encode} from '../../static/link/wire.js';

for await (const line of createInterface({input: process.stdin})) {
  process.stdout.write(`${verdict(Buffer.from(line, 'hex'))}\n`);
}

/** @param {Buffer} frame */
function verdict(frame) {
  let text;
  try {
    text = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(frame); // as signal.js does
    const {type, body} = decode(text);
    return `ok ${Buffer.from(encode(type, body)).toString('hex')}`;
  } catch (e) {
    if (e?.unknownType) return 'unknown';
    if (e?.code === 'bad-message' || text === undefined) return 'bad';
    return `fault ${e?.stack?.replaceAll('\n', ' ')}`;
  }
}
