// Somebody who opens a guest's link every second, without a browser: on a busy
// computer pages take long to load, which is not what is measured.
import {fork} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {until} from '../e2e/harness.mjs';

const program = fileURLToPath(new URL('seek.mjs', import.meta.url));

export class Seeker {
  #child;
  #ready = false;
  #found;

  /** authority is the file with the certificate of whoever vouches for the page's. */
  constructor(t, host, link, authority) {
    const [execPath, ...execArgv] = host.wrap(process.execPath);
    this.#child = fork(program, [link], {execPath, execArgv, env: {...process.env, NODE_EXTRA_CA_CERTS: authority}});
    this.#child.on('message', ({ready, at}) => {
      this.#ready ||= ready;
      this.#found ??= at;
    });
    t.after(() => this.#child.kill());
  }

  /** Has the first page opened. */
  async begin() {
    await until('somebody with a link', () => this.#ready);
    this.#child.send('begin');
    return this;
  }

  /** When the practice first answered, in ms since 1970. */
  found(ms = 60_000) { return until('a way to the practice', () => this.#found, ms); }
}
