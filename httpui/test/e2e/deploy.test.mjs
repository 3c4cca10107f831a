// docs/deploy.md: each of its configurations is one, and its web servers carry
// a call.
import assert from 'node:assert/strict';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {Authority} from './authority.mjs';
import {binary, Daemon, freePort, Program, root, run, setUp, temporary, until} from './harness.mjs';

const guide = readFileSync(join(root, 'docs/deploy.md'), 'utf8');
const blocks = new Map([...guide.matchAll(/<!-- (?:config: )?([\w-]+) -->\n```\w*\n([\s\S]*?)```/g)].map((m) => [m[1], m[2]]));
const servers = ['nginx', 'caddy'];

test('every configuration in the guide is one', {timeout: 60_000}, async (t) => {
  const other = await new Daemon(t, 'other', `http:\n  listen: ["localhost:${await freePort()}"]\ndiscovery:\n  listen: ["/ip4/127.0.0.1/tcp/0"]\n  announce: ["/ip4/9.9.9.9/tcp/7601"]\n`).start();
  const card = (await other.cli('peer', 'card')).trim();
  const {peer_id: id} = JSON.parse(await other.cli('status', '--output', 'json')).node;
  const dir = temporary(t);
  let checked = 0;
  for (const [name, text] of blocks) {
    if (servers.includes(name)) continue;
    const file = join(dir, `${name}.yaml`);
    writeFileSync(file, text.replace(/anteroom-peer:[A-Z]+/g, card).replaceAll('PEER-ID', id), {mode: 0o600});
    const {code, stderr} = await run([binary, 'config', 'show', '--config', file]); // check would look for ports and certificates here
    assert.equal(code, 0, `${name}: ${stderr}`);
    checked++;
  }
  assert.ok(checked >= 9 && blocks.size === checked + servers.length, `${checked} of ${blocks.size}`);
  for (const key of guide.matchAll(/`((?:http|discovery|practice|front|relay)\.[\w.]+)`/g)) {
    assert.ok((await other.cli('config', 'show', '--output', 'json')).includes(`"${key[1].split('.').at(-1)}"`), `${key[1]} is no key`);
  }
});

for (const server of servers) {
  test(`a guest comes in through ${server}`, {timeout: 120_000}, async (t) => {
    const program = {nginx: '/usr/sbin/nginx', caddy: '/usr/bin/caddy'}[server];
    assert.ok(existsSync(program), `${program} is missing: run "make test"`);
    const authority = new Authority(t);
    const {cert, key} = authority.issue('practice.test');
    const [port, plain, inner, local, relay] = [await freePort(), await freePort(), await freePort(), await freePort(), await freePort()];
    const d = new Daemon(t, 'home', blocks.get('proxy')
      .replace('https://call.riverside.example', `https://practice.test:${port}`).replace('7680', inner)
      .replace('http:\n', `http:\n  listen: ["localhost:${local}"]\n`) + `relay: {listen: ["127.0.0.1:${relay}"]}\n`);
    await d.start();
    const dir = temporary(t);
    const file = join(dir, 'server.conf');
    const recipe = blocks.get(server).replaceAll('call.riverside.example', server === 'caddy' ? `https://practice.test:${port}` : 'practice.test').replace('7680', inner);
    if (server === 'nginx') {
      writeFileSync(file, `daemon off; pid ${dir}/pid; error_log stderr; events {}\nhttp {\n${recipe.replace(/(listen (?:\[::\]:)?)(443|80)\b/g, (_, listen, of) => listen + (of === '443' ? port : plain))
        .replace('/etc/anteroom/fullchain.pem', cert).replace('/etc/anteroom/privkey.pem', key)}}\n`);
      new Program(t, [program, '-p', dir, '-c', file]);
    } else {
      writeFileSync(file, `{\n  admin off\n  auto_https off\n}\n${recipe.replace('{\n', `{\n    tls ${cert} ${key}\n`)}`);
      new Program(t, [program, 'run', '--adapter', 'caddyfile', '--config', file], {env: {HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir}});
    }
    if (server === 'nginx') {
      for (const host of ['127.0.0.1', '[::1]']) {
        const {status, headers} = await until('nginx up', () => fetch(`http://${host}:${plain}/j`, {redirect: 'manual'}).catch(() => false));
        assert.deepEqual([status, headers.get('location')], [308, `https://${host}/j`]);
      }
    }
    const [practitioner, patient] = await Promise.all([authority.person(t), authority.person(t)]);
    await setUp(practitioner, d, 'Riverside Practice', 'Dr Lee');
    const made = JSON.parse(await d.cli('appointment', 'create', '--guest', 'Patient', '--output', 'json'));
    await until(`${server} up`, () => patient.page.goto(made.guests[0].url).then(() => true, () => false));
    await patient.knock(made.guests[0].url, 'Ana Pereira');
    await practitioner.button('Admit Ana Pereira').click();
    await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  });
}
