// The secret part of a link is in the fragment. This module has no imports and
// is the first script of both pages, so the fragment leaves the address bar
// (and with it the history, a shared screen and a bookmark) before any other
// code of ours runs.

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
