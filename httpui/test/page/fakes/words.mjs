// The page's catalogue, which the node otherwise writes into the page.
import { readFileSync } from 'node:fs';
import { use } from '../../../static/kit/words.js';

export const english = JSON.parse(readFileSync(new URL('../../../words/en.json', import.meta.url), 'utf8'));
use(english);
