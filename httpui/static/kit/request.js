// Requests to the node that served the page, and what becomes of them.

/** @typedef {import('./words.js').Message} Message */

/** A refusal by the node, or the news that it cannot be reached (code "offline"). */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {Message | null} said what it says to people
   * @param {number} status HTTP, 0 when there was no answer
   * @param {number} [retryAfter] seconds
   */
  constructor(code, said, status, retryAfter = 0) {
    super(code);
    this.said = said;
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** @param {unknown} err what a request was refused with, or a fault of the page @returns {ApiError} */
export const asApiError = (err) => (err instanceof ApiError ? err : new ApiError('internal', null, 0));

/** How long a request may take before the node counts as unreachable, ms. */
export const patience = 15_000;

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {{body?: object, headers?: Record<string, string>, wait?: number}} [options] wait: ms
 * @returns {Promise<any>} what the node answers @throws {ApiError}
 */
export async function request(method, path, { body = {}, headers = {}, wait = patience } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...headers, ...(method === 'POST' && { 'Content-Type': 'application/json' }) },
      ...(method === 'POST' && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(wait),
    });
  } catch {
    throw new ApiError('offline', null, 0);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const { code = 'internal', message = null } = answer ?? {};
  throw new ApiError(code, message, response.status, Number(response.headers.get('Retry-After')) || 0);
}

/** One subject that the page asks the node about: only the latest answer counts. */
export class Turn {
  #onExpired;
  #latest = 0;

  /** @param {() => void} [onExpired] the session is over; without it that is a refusal like others */
  constructor(onExpired) {
    this.#onExpired = onExpired;
  }

  /**
   * Waits for an answer. What comes after another one was asked for, or after drop, is forgotten.
   * @template T
   * @param {Promise<T>} answer
   * @param {{done: (answer: T) => void, refused: (err: ApiError) => void}} outcome
   */
  async take(answer, { done, refused }) {
    const turn = ++this.#latest;
    /** @type {() => void} */ let tell;
    try {
      const it = await answer;
      tell = () => done(it);
    } catch (err) {
      const refusal = asApiError(err);
      tell = () => (refusal.status === 401 && this.#onExpired ? this.#onExpired() : refused(refusal));
    }
    if (turn === this.#latest) tell();
  }

  /** Whatever is asked for now, nobody wants to know any more. */
  drop() {
    this.#latest += 1;
  }
}
