// Says messages with the page's formatter, for the test that compares it with
// Go's: one [{code, args}, …] a line in, one list of texts a line out.
import { createInterface } from 'node:readline';
import './fakes/words.mjs';
import { sayMessage } from '../../static/kit/words.js';

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(JSON.parse(line).map(sayMessage)));
