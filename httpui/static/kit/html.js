// Templates whose texts can still change after somebody else has worked on the
// page. A browser that translates it puts elements in the place of texts, or
// takes everything out of a paragraph and puts back what it has translated;
// lit-html finds the text that it wrote only behind the comment that it put
// there. So a comment ends each text that can change as well, comments that
// were taken out are put back, and what stands in the place of a text takes the
// next one as a text would.

import { html as template, nothing, render as write, svg } from '../vendor/lit-html/lit-html.js';

export { nothing, svg };

/** @type {WeakMap<TemplateStringsArray, TemplateStringsArray>} */
const known = new WeakMap();

/** @param {TemplateStringsArray} strings @param {unknown[]} values */
export function html(strings, ...values) {
  let fenced = known.get(strings);
  if (!fenced) known.set(strings, (fenced = fence(strings)));
  return template(fenced, ...values);
}

/**
 * Ends each expression that stands between tags with a comment. A name, which
 * is what <bdi> is for, is nobody's to translate.
 * @param {TemplateStringsArray} strings
 */
function fence(strings) {
  let markup = '';
  const fenced = strings.map((text, i) => {
    const between = i > 0 && markup.lastIndexOf('>') >= markup.lastIndexOf('<');
    markup += text;
    return (between ? '<!---->' : '') + text.replaceAll('<bdi>', '<bdi translate="no">');
  });
  return Object.assign(fenced, { raw: fenced });
}

/** @type {WeakMap<HTMLElement, MutationObserver>} */
const observers = new WeakMap();

/** @param {unknown} view @param {HTMLElement} root */
export function render(view, root) {
  let observer = observers.get(root);
  if (!observer) {
    observer = new MutationObserver(mend);
    observer.observe(root, { childList: true, subtree: true });
    observers.set(root, observer);
  }
  mend(observer.takeRecords());
  write(view, root);
  observer.takeRecords(); // these changes are the page's own
}

/**
 * Makes what somebody else did to the page such that lit-html finds its way.
 * @param {MutationRecord[]} records
 */
function mend(records) {
  /** @type {Map<Node, Node[]>} what each changed node had in it before */
  const before = new Map();
  for (const { target, addedNodes, removedNodes, nextSibling } of [...records].reverse()) {
    const nodes = (before.get(target) ?? [...target.childNodes]).filter((node) => ![...addedNodes].includes(/** @type {ChildNode} */ (node)));
    nodes.splice(nextSibling ? nodes.indexOf(nextSibling) : nodes.length, 0, ...removedNodes);
    before.set(target, nodes);
    for (const node of addedNodes) if (node instanceof Element) takeText(node);
  }
  for (const [parent, nodes] of before) {
    nodes.forEach((node, i) => {
      if (node.nodeType !== Node.COMMENT_NODE || node.parentNode) return;
      const stayed = (/** @type {Node} */ other) => other.parentNode === parent;
      // One of lit-html's own begins a text: all that may belong to it comes after it.
      const begins = /** @type {Comment} */ (node).data !== '';
      const last = nodes.slice(0, i).findLast(stayed);
      parent.insertBefore(node, begins ? (last ? last.nextSibling : parent.firstChild) : (nodes.slice(i + 1).find(stayed) ?? null));
    });
  }
}

/**
 * Lets lit-html, which writes to the data of a text, write to what a translator
 * has put there: up to the comment that ends the text.
 * @param {Element} element
 */
function takeText(element) {
  Object.defineProperty(element, 'data', {
    configurable: true,
    set(text) {
      for (let rest = element.nextSibling; rest && rest.nodeType !== Node.COMMENT_NODE; rest = element.nextSibling) rest.remove();
      element.replaceWith(String(text));
    },
  });
}
