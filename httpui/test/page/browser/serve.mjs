// Serves static/ and test/page/ on loopback, as the pages' tests need them.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.html': 'text/html', '.css': 'text/css' };

/** @returns {Promise<{origin: string, close: () => void}>} */
export async function serve() {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    try {
      if (path.includes('..') || !/^\/(static|test\/page)\//.test(path)) throw new Error('not served');
      const body = await readFile(root + path.slice(1));
      response.setHeader('content-type', types[/\.\w+$/.exec(path)?.[0] ?? ''] ?? 'application/octet-stream');
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  return { origin: `http://localhost:${server.address().port}`, close: () => server.close() };
}
