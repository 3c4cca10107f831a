// The secret part of a link is in the fragment. This module has no imports and
// is the first script of both pages, so the fragment leaves the address bar
// (and with it the tab's history, a shared screen and a bookmark) before any
// other code of ours runs. What the browser itself has noted of the address that
// it was told to open, as Chromium does in its history, no page can take back.

let taken = location.hash;
if (taken !== '') history.replaceState(null, '', location.pathname + location.search);

/**
 * Returns the fragment that the page was opened with, "#" included, and
 * forgets it. A later call returns "" unless the address has a new one, as when
 * a person pastes another link into the same tab.
 * @returns {string}
 */
export function takeFragment() {
  if (location.hash !== '') {
    taken = location.hash;
    history.replaceState(null, '', location.pathname + location.search);
  }
  const fragment = taken;
  taken = '';
  return fragment;
}

// A phone that changes networks while the page loads leaves some of its scripts
// out, and says nothing. Then it is loaded again, with its link, as soon as that
// can be done. The listener is here because this script has come.
addEventListener('error', ({ target }) => {
  if (target instanceof HTMLScriptElement) void loadAgain();
}, { capture: true, once: true });

async function loadAgain() {
  const said = document.createElement('p');
  said.setAttribute('role', 'status');
  // What formats messages may be among the scripts that did not come; this one has no arguments.
  const { messages } = JSON.parse(document.getElementById('words')?.textContent ?? '{"messages":{}}');
  said.textContent = messages['call.loading-lost'];
  document.getElementById('main')?.append(said);
  for (let wait = 500; ; wait = Math.min(2 * wait, 8_000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const there = await fetch(location.pathname, { cache: 'no-store' }).then(({ ok }) => ok, () => false);
    if (!there) continue;
    history.replaceState(null, '', location.pathname + location.search + taken);
    return location.reload();
  }
}
