// What a view says, without a page: lit-html keeps templates as strings and
// values until it renders them, so their text can be read as it is. Import this
// before any view: lit-html takes hold of the document when it is loaded.

globalThis.document ??= /** @type {any} */ ({ createComment: () => ({}), createTreeWalker: () => ({}) });

/** @param {unknown} part a template, a value in one, or a list of them @returns {string} its markup, without what directives make */
export function markup(part) {
  if (Array.isArray(part)) return part.map(markup).join('');
  if (typeof part === 'string' || typeof part === 'number') return String(part);
  const { strings, values } = /** @type {any} */ (part ?? {});
  return strings ? strings.map((text, i) => text + markup(values[i])).join('') : '';
}

/** @param {unknown} part @returns {string} what is read of it */
export const words = (part) => markup(part).replace(/<[^>]*>/g, '').replace(/\s+/g, ' ');
