// What browsers do to a page when they translate it, without another language:
// a text that was gone through has a mark behind it. To be run in the page
// before anything else; both go on as the page changes.

/** As Chromium's: two elements in the place of each text, and here of those too that are nobody's to translate. */
export function wrapTexts() {
  const mine = new WeakSet();
  const refused = (node) => node.parentElement?.closest('script, style, textarea');
  const translate = (text) => {
    if (mine.has(text) || !text.isConnected || text.data.trim() === '' || refused(text)) return;
    const [outer, inner] = [0, 0].map(() => document.createElement('font'));
    const words = document.createTextNode(`${text.data}‡`);
    mine.add(words);
    inner.append(words);
    outer.append(inner);
    text.replaceWith(outer);
  };
  const all = (root) => {
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const found = root instanceof Text ? [root] : [];
    while (walk.nextNode()) found.push(walk.currentNode);
    found.forEach(translate);
  };
  const begin = () => {
    all(document.body);
    new MutationObserver((records) => records.forEach(({type, target, addedNodes}) => (type === 'characterData' ? all(target) : addedNodes.forEach(all))))
      .observe(document.body, {subtree: true, childList: true, characterData: true});
  };
  if (document.body) begin();
  else addEventListener('DOMContentLoaded', begin);
}

/** As Firefox's: each paragraph is emptied, and gets back its elements and its texts, and nothing else. */
export function mergeTexts() {
  const mine = new WeakMap(); // a text, and what it says when it has been gone through
  const inline = (element) => [...element.children].every((child) => !/^(block|flex|grid|list-item|table)/.test(getComputedStyle(child).display) && inline(child));
  const merge = (element) => {
    const kept = [];
    while (element.firstChild) {
      const node = element.firstChild;
      node.remove();
      if (node instanceof Text && node.data.trim() !== '') {
        if (mine.get(node) !== node.data) node.data += '‡';
        mine.set(node, node.data);
      }
      if (node instanceof Element && node.textContent.trim() !== '') merge(node);
      if (node.nodeType !== Node.COMMENT_NODE) kept.push(node);
    }
    element.append(...kept);
  };
  const translate = () => {
    observer.disconnect();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT, (element) =>
      (element.matches('[translate=no], script, style, textarea, svg, video') ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
    const blocks = [];
    while (walk.nextNode()) {
      const block = walk.currentNode;
      const texts = [...block.childNodes].filter((node) => node instanceof Text && node.data.trim() !== '');
      if (texts.some((text) => mine.get(text) !== text.data) && inline(block) && !block.querySelector('[translate=no]')) blocks.push(block);
    }
    for (const block of blocks) if (!blocks.some((other) => other !== block && other.contains(block))) merge(block);
    observer.observe(document.body, {subtree: true, childList: true, characterData: true});
  };
  const observer = new MutationObserver(() => setTimeout(translate)); // the engine takes its time
  if (document.body) translate();
  else addEventListener('DOMContentLoaded', translate);
}
