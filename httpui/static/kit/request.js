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
