// node seek.mjs LINK: does what a page does to reach the practice, and no more,
// each second anew from when its parent says so, and tells when it has.
import {guestHandshake} from '../../static/link/handshake.js';
import {linkKeys, parseLink} from '../../static/link/seal.js';
import {Signal} from '../../static/link/signal.js';

const every = 1000; // ms
const most = 8; // that are at it at once: a node allows one network only so many

const link = process.argv[2];
const {protocol, host, origin} = new URL(link);
const url = `${protocol.replace('http', 'ws')}//${host}/ws/guest`;
const keys = await linkKeys(parseLink(link));
const pages = [];
let timer;

class FromPage extends WebSocket {
  constructor(to, protocols) { super(to, {protocols, headers: {origin}}); }
}

function found() {
  clearInterval(timer);
  for (const p of pages) p.close();
  if (process.connected) process.send({at: Date.now()}, () => process.disconnect());
}

function open() {
  const page = new Signal(url, guestHandshake(keys), {onWelcome: found, onMessage() {}, onState() {}, onEnd() {}}, {WebSocket: FromPage, events: null});
  if (pages.push(page) > most) pages.shift().close();
  page.start();
}

process.on('disconnect', () => process.exit());
process.once('message', () => {
  timer = setInterval(open, every);
  open();
});
process.send({ready: true});
