// A certificate authority that a test's browsers believe.
import {execFileSync} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {Person, temporary} from './harness.mjs';

export class Authority {
  constructor(t) {
    this.dir = temporary(t);
    this.home = join(this.dir, 'home');
    const db = join(this.home, '.pki/nssdb');
    mkdirSync(db, {recursive: true});
    this.#openssl('ca', '/CN=Test authority', 'basicConstraints=critical,CA:true', 'keyUsage=critical,keyCertSign');
    execFileSync('certutil', ['-N', '--empty-password', '-d', `sql:${db}`]);
    execFileSync('certutil', ['-A', '-d', `sql:${db}`, '-n', 'test', '-t', 'C,,', '-i', this.#file('ca.pem')]);
  }

  /** The file with its own certificate. */
  get certificate() { return this.#file('ca.pem'); }

  /** Issues a certificate: {cert, key} are PEM files. */
  issue(name) {
    this.#openssl(name, `/CN=${name}`, `subjectAltName=DNS:${name}`, 'basicConstraints=critical,CA:false');
    return {cert: this.#file(`${name}.pem`), key: this.#file(`${name}.key`)};
  }

  /** Lines of a configuration, below http, with a certificate for name. */
  tls(name) {
    const {cert, key} = this.issue(name);
    return `  tls:\n    mode: files\n    cert_file: ${cert}\n    key_file: ${key}\n`;
  }

  /**
   * Somebody whose browser believes this authority and finds every .test name on
   * this computer; with a dot at its end, too, as Chromium asks for TURN servers over UDP.
   */
  person(t) {
    return Person.arrive(t, {env: {...process.env, HOME: this.home}, flags: ['--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.test. 127.0.0.1']});
  }

  #file(name) { return join(this.dir, name); }

  #openssl(name, subject, ...extensions) {
    const signer = name === 'ca' ? [] : ['-CA', this.#file('ca.pem'), '-CAkey', this.#file('ca.key')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2', '-subj', subject,
      ...extensions.flatMap((e) => ['-addext', e]), ...signer, '-keyout', this.#file(`${name}.key`), '-out', this.#file(`${name}.pem`)], {stdio: 'pipe'});
  }
}
