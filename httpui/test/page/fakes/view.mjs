// Views without a page: what a template says, and what its buttons do.
globalThis.document ??= { createTreeWalker: () => ({}), createComment: () => ({}) }; // lit-html asks for them once
const { nothing } = await import('../../../static/vendor/lit-html/lit-html.js');

const plain = (/** @type {string} */ html) => html.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim();

/** A view as text, with an ordinal in place of each handler. */
export class Drawn {
  #handlers = [];

  /** @param {unknown} template of lit-html */
  constructor(template) {
    this.html = this.#write(template).replaceAll('<!---->', '');
  }

  /** What is on the screen. */
  get text() {
    return plain(this.html);
  }

  /** Presses the button of this name. */
  press(name) {
    const buttons = [...this.html.matchAll(/<button([^>]*)>(.*?)<\/button>/gs)];
    const found = buttons.find(([, tag, inside]) => tag.includes(`aria-label=${name}`) || plain(inside) === name);
    if (!found) throw new Error(`no button "${name}"`);
    this.#handlers[Number(/@click=(\d+)/.exec(found[1])?.[1])]();
  }

  /** Submits the form, as the Enter key does it. */
  submit(form) {
    this.#handlers[Number(/@submit=(\d+)/.exec(this.html)?.[1])]({ preventDefault() {}, currentTarget: form });
  }

  /** Lets a field of this name hear what is typed. */
  type(name, value) {
    const tag = new RegExp(`<input[^>]*name="${name}"[^>]*>`).exec(this.html)?.[0] ?? '';
    const input = { value, problem: '', setCustomValidity(text) { this.problem = text; } };
    this.#handlers[Number(/@input=(\d+)/.exec(tag)?.[1])]({ currentTarget: input });
    return input.problem;
  }

  /** Lets the first of what hears changes hear that of this field. */
  change(target) {
    this.#handlers[Number(/@change=(\d+)/.exec(this.html)?.[1])]({ target });
  }

  #write(value) {
    if (value === nothing || value === null || value === undefined) return '';
    if (typeof value === 'function') return String(this.#handlers.push(value) - 1);
    if (Array.isArray(value)) return value.map((v) => this.#write(v)).join('');
    if (typeof value !== 'object') return String(value);
    if (!value.strings) return ''; // a directive
    return value.strings.reduce((html, part, i) => html + this.#write(value.values[i - 1]) + part);
  }
}
