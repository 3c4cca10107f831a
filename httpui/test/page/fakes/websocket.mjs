// A WebSocket that is stricter than a browser's: it complains about anything
// that a page should not do, where a browser would keep quiet.

const MAX_FRAME = 20 * 1024;

/**
 * Returns a constructor for globalThis.WebSocket whose sockets are handed to
 * accept. Frames travel one at a time: deliver says when each may.
 */
export function fakeWebSocket(accept, deliver = (step) => queueMicrotask(step)) {
  return class FakeWebSocket extends EventTarget {
    static CONNECTING = 0;
    readyState = 0;
    binaryType = 'blob';
    bufferedAmount = 0;
    remote = {
      onframe: (_frame) => {},
      onclose: () => {},
      send: (frame) => this.#later(() => this.readyState === 1 && this.#emit('message', { data: typeof frame === 'string' ? frame : frame.slice().buffer })),
      close: (code = 1000, reason = '') => this.#later(() => this.#closed(code, reason)),
    };

    constructor(url, protocol) {
      super();
      must(/^wss?:\/\/[^/]+\/ws\/(guest|host)$/.test(url), 'unexpected address');
      must(protocol === 'ar1', 'unexpected subprotocol');
      this.url = url;
      accept(this.remote, this);
    }

    /** The node accepts the connection. */
    opened() {
      this.#later(() => {
        if (this.readyState !== 0) return;
        must(this.binaryType === 'arraybuffer', 'blobs arrive out of order');
        this.readyState = 1;
        this.#emit('open', {});
      });
    }

    send(frame) {
      must(this.readyState !== 0, 'send before open');
      const size = typeof frame === 'string' ? byteLength(frame) : frame.byteLength;
      must(size <= MAX_FRAME, 'frame too long');
      must((typeof frame === 'string') === this.url.endsWith('/ws/host'), 'guests send binary frames, practitioners text');
      if (this.readyState === 1) this.#later(() => this.remote.onframe(frame));
    }

    close(code = 1000) {
      must(code === 1000 || (code >= 3000 && code < 5000), 'a page may not use this close code');
      if (this.readyState >= 2) return;
      this.readyState = 2;
      this.#later(() => {
        this.remote.onclose();
        this.#closed(code, '');
      });
    }

    /** The network is gone, without a word to the page, and to the node only if it heard. */
    vanish({ heard = true } = {}) {
      this.#later = () => {};
      if (heard) this.remote.onclose();
    }

    #closed(code, reason) {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.remote.onclose();
      this.#emit('close', { code, reason, wasClean: code === 1000 });
    }

    #emit(type, fields) {
      this.dispatchEvent(Object.assign(new Event(type), fields));
    }

    #later = (step) => deliver(step, this);
  };
}

const byteLength = (text) => new TextEncoder().encode(text).length;

/** @param {boolean} so @param {string} otherwise */
function must(so, otherwise) {
  if (!so) throw new Error(otherwise);
}
