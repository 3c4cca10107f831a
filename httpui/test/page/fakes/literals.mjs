// Finds the literals of a module: just enough of JavaScript's grammar for code
// that the type checker has read.

const attributes = /\b(?:aria-(?:label|description|roledescription|valuetext|placeholder)|title|placeholder|alt|label)="([^"]*)"/g;

/**
 * @param {string} source
 * @returns {{kind: 'string' | 'html' | 'error', text: string, line: number}[]}
 *   html: what a person reads of a template; error: the message of an Error or of the console, a query of CSS, or a pattern
 */
export function literals(source) {
  /** @type {ReturnType<typeof literals>} */
  const found = [];
  let i = 0;
  const lineOf = (/** @type {number} */ at) => source.slice(0, at).split('\n').length;

  /** @param {string} until "" or "}" */
  function code(until) {
    let depth = 0;
    let before = ''; // the code since the last literal, without spaces at its end
    while (i < source.length) {
      const c = source[i];
      if (source.startsWith('//', i)) {
        i = (source.indexOf('\n', i) + source.length) % source.length || source.length;
        if (source[i] !== '\n') i = source.length;
      } else if (source.startsWith('/*', i)) i = source.indexOf('*/', i) + 2;
      else if (c === "'" || c === '"') {
        const from = i;
        for (i += 1; source[i] !== c; i += 1) if (source[i] === '\\') i += 1;
        i += 1;
        const imported = /(?:\bfrom|\bimport)\s*\(?$/.test(before);
        if (!imported) add(/(?:Error|console\.\w+|matchMedia|closest|matches|querySelector(?:All)?|RegExp)\(\s*$/.test(before) ? 'error' : 'string', unescape(source.slice(from + 1, i - 1)), from);
        before = 'x';
      } else if (c === '`') {
        template(/\b(?:html|svg)$/.test(before), /(?:Error|console\.\w+)\($/.test(before));
        before = 'x';
      } else if (c === '/' && /(?:^|[([{,;=:!&|?+*%~^<>]|=>|\breturn|\btypeof|\bcase)$/.test(before)) {
        let set = false;
        for (i += 1; source[i] !== '/' || set; i += 1) {
          if (source[i] === '\\') i += 1;
          else if (source[i] === '[') set = true;
          else if (source[i] === ']') set = false;
        }
        i += 1;
        before = 'x';
      } else {
        if (c === '{') depth += 1;
        if (c === '}') {
          if (until && depth === 0) return;
          depth -= 1;
        }
        if (!/\s/.test(/** @type {string} */ (c))) before += c;
        else if (/[A-Za-z]$/.test(before)) before += ' ';
        if (/ $/.test(before) && !/[A-Za-z]/.test(source[i + 1] ?? '')) before = before.trimEnd();
        i += 1;
      }
    }
  }

  /** @param {boolean} html @param {boolean} error */
  function template(html, error) {
    const from = i;
    let text = '';
    for (i += 1; source[i] !== '`'; ) {
      if (source.startsWith('${', i)) {
        i += 2;
        code('}');
        i += 1;
        text += '\0';
      } else {
        if (source[i] === '\\') text += source[i++];
        text += source[i++];
      }
    }
    i += 1;
    if (!html) for (const part of text.split('\0')) add(error ? 'error' : 'string', part, from);
    else {
      for (const [, value] of text.matchAll(attributes)) for (const part of (value ?? '').split('\0')) add('html', part.trim(), from);
      for (const part of text.replace(/<[^>]*>/g, '\0').replace(/&[a-z]+;/g, ' ').split('\0')) add('html', part.trim(), from);
    }
  }

  /** @param {'string' | 'html' | 'error'} kind @param {string} text @param {number} at */
  function add(kind, text, at) {
    if (text !== '') found.push({ kind, text, line: lineOf(at) });
  }

  code('');
  return found;
}

/** @param {string} text */
const unescape = (text) => text.replace(/\\(.)/g, '$1');
