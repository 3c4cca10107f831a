// Measures what a person waits for, beside the floor, in one run:
//
//   admit    "Admit" pressed → first remote frame shown, on both sides
//   knock    link opened → knock heard by the practitioner's page
//
// The floor of admit is the same two browsers, cameras and pages up, connected
// by hand: offer, answer and candidates over one bare WebSocket relay. The
// floor of knock is loading the same page and one WebSocket round trip.
//
// Both are measured at full speed, and with the processor slowed as DevTools does
// it: four times is about a phone of the middle class, six times an old one. It
// keeps a core busy for each page that it slows, also one that does nothing: so
// two pages are slowed at a time, those that are being measured, on two cores.
//
//   node httpui/test/e2e/bench.mjs [rounds [times slower,…]]
import {createServer} from 'node:http';
import {createHash} from 'node:crypto';
import {availableParallelism} from 'node:os';
import {demo, Person, until, watchFirstFrame} from './harness.mjs';

const rounds = Number(process.argv[2] ?? 7);
const slowdowns = (process.argv[3] ?? '1,4,6').split(',').map(Number);
const ends = [];
const t = {name: 'bench', passed: true, after: (f) => ends.push(f)};

async function ours(practitioner, patient, link, n) {
  const name = `Bench ${n}`;
  await patient.page.goto(link);
  await patient.button('Continue').click();
  await patient.page.getByRole('textbox', {name: 'Your name'}).fill(name);
  await patient.button('Join').click();
  await practitioner.button(`Admit ${name}`).waitFor();
  await until('the prepared answer', () => practitioner.page.evaluate(() => window.answered()), 60_000);
  await idle(practitioner, patient); // as after any real wait
  for (const p of [practitioner, patient]) await p.page.evaluate(watchFirstFrame);
  await practitioner.button(`Admit ${name}`).click();
  const [seenByDoctor, seenByPatient, clicked] = await Promise.all([
    practitioner.page.evaluate(() => window.firstFrame), patient.page.evaluate(() => window.firstFrame),
    practitioner.page.evaluate(() => window.clicked),
  ]);
  await patient.button('Leave').click();
  await patient.page.getByText('You can close this page').waitFor();
  await practitioner.page.getByRole('button', {name: `Admit ${name}`}).waitFor({state: 'detached'});
  return {host: seenByDoctor - clicked, guest: seenByPatient - clicked};
}

/** Both pages have done what they had to. */
const idle = (...people) => Promise.all(people.map((p) => p.page.evaluate(() => new Promise(requestIdleCallback))));

/** A page and a WebSocket relay with nothing in them. */
async function bareRelay() {
  const sockets = new Set();
  const server = createServer((_, res) => res.setHeader('content-type', 'text/html').end('<!doctype html><title>floor</title>'));
  server.on('upgrade', (req, socket) => {
    const accept = createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        if (rest.length < 2) return;
        let length = rest[1] & 127;
        let at = 2;
        if (length === 126) { if (rest.length < 4) return; length = rest.readUInt16BE(2); at = 4; }
        if (rest.length < at + 4 + length) return;
        const mask = rest.subarray(at, at + 4);
        const data = Buffer.from(rest.subarray(at + 4, at + 4 + length)).map((b, i) => b ^ mask[i & 3]);
        const op = rest[0] & 15;
        rest = rest.subarray(at + 4 + length);
        if (op === 8) { socket.end(); return; }
        const head = data.length < 126 ? Buffer.from([0x81, data.length]) : Buffer.from([0x81, 126, data.length >> 8, data.length & 255]);
        for (const other of sockets) if (other !== socket) other.write(Buffer.concat([head, data]));
        if (op === 1 && data.toString() === '"echo"') socket.write(Buffer.concat([head, data]));
      }
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  ends.push(() => { for (const s of sockets) s.destroy(); server.close(); });
  return `http://localhost:${server.address().port}/`;
}

/** One end of the floor: a whole call by hand, in one script. */
async function byHand(caller) {
  const socket = new WebSocket(`ws://${location.host}/`);
  await new Promise((done) => { socket.onopen = done; });
  const media = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 1280, height: 720, frameRate: 30}});
  const self = Object.assign(document.createElement('video'), {muted: true, srcObject: media});
  await self.play(); // the camera gives frames
  self.srcObject = null;
  const pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  const send = (m) => socket.send(JSON.stringify(m));
  let queue = Promise.resolve();
  pc.onicecandidate = ({candidate}) => candidate && send({candidate});
  const first = new Promise((done) => {
    pc.ontrack = ({track, streams}) => {
      if (track.kind !== 'video') return;
      const v = document.createElement('video');
      v.muted = true;
      v.autoplay = true;
      v.srcObject = streams[0];
      document.body.replaceChildren(v);
      v.requestVideoFrameCallback((now) => done(performance.timeOrigin + now));
    };
  });
  for (const track of media.getTracks()) pc.addTrack(track, media);
  socket.onmessage = ({data}) => {
    queue = queue.then(async () => {
      const m = JSON.parse(data);
      if (m.candidate) await pc.addIceCandidate(m.candidate);
      if (!m.type) return;
      await pc.setRemoteDescription(m);
      if (m.type === 'offer') {
        await pc.setLocalDescription();
        send(pc.localDescription);
      }
    });
  };
  const go = new Promise((done) => { window.go = done; });
  if (!caller) return {first: await first};
  await go;
  const start = performance.timeOrigin + performance.now();
  await pc.setLocalDescription();
  send(pc.localDescription);
  return {start, first: await first};
}

async function floor(a, b, relay) {
  for (const p of [a, b]) await p.page.goto(relay);
  const calls = [a.page.evaluate(byHand, true), b.page.evaluate(byHand, false)];
  for (const p of [a, b]) await p.page.waitForFunction(() => window.go);
  await idle(a, b);
  await a.page.evaluate(() => window.go());
  const [x, y] = await Promise.all(calls);
  return {host: x.first - x.start, guest: y.first - x.start};
}

/** Link opened → knock heard, with Continue and Join pressed by the script at once. */
async function knock(practitioner, patient, link, n) {
  const name = `Knock ${n}`;
  await practitioner.page.evaluate((label) => {
    window.knocked = new Promise((done) => {
      const look = () => [...document.querySelectorAll('button')].some((b) => (b.getAttribute('aria-label') ?? b.textContent).trim() === label) && done(performance.timeOrigin + performance.now());
      new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    });
  }, `Admit ${name}`);
  const opened = Date.now();
  await patient.page.goto(link);
  await patient.page.evaluate(async (name) => {
    const button = (text) => [...document.querySelectorAll('button')].find((b) => b.textContent.trim() === text && !b.disabled);
    const wait = async (find) => { for (;;) { const x = find(); if (x) return x; await new Promise(requestAnimationFrame); } };
    (await wait(() => button('Continue'))).click();
    const box = await wait(() => document.querySelector('input[type=text],input[autocomplete=name]'));
    box.value = name;
    box.dispatchEvent(new Event('input', {bubbles: true}));
    (await wait(() => button('Join'))).click();
  }, name);
  const heard = await practitioner.page.evaluate(() => window.knocked);
  await patient.button('Leave').click();
  await practitioner.page.getByRole('button', {name: `Admit ${name}`}).waitFor({state: 'detached'});
  return heard - opened;
}

/** The same page, and one round trip over a WebSocket. */
async function knockFloor(patient, pageURL, relay) {
  const opened = Date.now();
  await patient.page.goto(pageURL);
  const loaded = Date.now() - opened;
  await patient.page.goto(relay);
  const trip = await patient.page.evaluate(async () => {
    const start = performance.now();
    const socket = new WebSocket(`ws://${location.host}/`);
    await new Promise((done) => { socket.onopen = done; });
    const back = new Promise((done) => { socket.onmessage = done; });
    socket.send('"echo"');
    await back;
    socket.close();
    return performance.now() - start;
  });
  return loaded + trip;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const row = (what, us, by) => console.log(`${what.padEnd(34)} ${median(us).toFixed(0).padStart(6)} ms   floor ${median(by).toFixed(0).padStart(6)} ms   ratio ${(median(us) / median(by)).toFixed(2)}`);

/** Measures with the pages in use slowed, from a blank page of all but the practitioner, and leaves them so. */
async function slowed(rate, people, measure) {
  const set = (rate) => Promise.all(people.map((p) => p.devtools.send('Emulation.setCPUThrottlingRate', {rate})));
  await set(rate);
  const measured = await measure();
  await set(1);
  for (const p of people) if (!p.attends) await p.page.goto('about:blank');
  return measured;
}

try {
  const d = await demo(t);
  const [practitioner, patient, handA, handB] = await Promise.all([Person.arrive(t), Person.arrive(t), Person.arrive(t), Person.arrive(t)]);
  for (const p of [practitioner, patient, handA, handB]) {
    p.page.setDefaultTimeout(120_000); // a slow processor loads for long
    p.devtools = await p.context.newCDPSession(p.page);
  }
  await practitioner.practise(d.practitioner);
  practitioner.attends = true;
  const relay = await bareRelay();
  const link = d.link('home');
  const pageURL = link.slice(0, link.indexOf('#'));
  let n = 0;
  const round = async (rate) => ({
    admit: await slowed(rate, [practitioner, patient], () => ours(practitioner, patient, link, ++n)),
    hands: await slowed(rate, [handA, handB], () => floor(handA, handB, relay)),
    knock: await slowed(rate, [practitioner, patient], () => knock(practitioner, patient, link, ++n)),
    load: await slowed(rate, [practitioner, patient], () => knockFloor(patient, pageURL, relay)),
  });
  console.log(`medians of ${rounds}, alternating, Chromium ${practitioner.browser.version()}, ${availableParallelism()} cores, loopback`);
  await round(1); // warms up
  for (const rate of slowdowns) {
    console.log(rate === 1 ? 'at full speed' : `processor slowed ${rate} times`);
    const all = [];
    for (let i = 0; i < rounds; i++) all.push(await round(rate));
    row('Admit → picture, practitioner', all.map((r) => r.admit.host), all.map((r) => r.hands.host));
    row('Admit → picture, guest', all.map((r) => r.admit.guest), all.map((r) => r.hands.guest));
    row('link opened → knock heard', all.map((r) => r.knock), all.map((r) => r.load));
  }
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(0);
