// @ts-check
// The host prints a link that ends in `#token=…`. A fragment is never sent to a server; it is moved out of the
// address bar at once, so that it is neither shared nor kept in the history. A link that somebody sends must not make
// a tab that has a user into another one's: its token is only offered.

const KEY = 'talktime.token';
/** @type {string | undefined} where the storage is forbidden */
let held;

/** @returns {{ token: string | undefined, offered: string | undefined }} whose this tab is, and whose a new link would make it */
export function takeToken() {
  const inLink = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined;
  if (inLink) history.replaceState(null, '', location.pathname + location.search);
  const token = stored();
  if (inLink && !token) useToken(inLink);
  return { token: token ?? inLink, offered: token && inLink !== token ? inLink : undefined };
}

/** @param {string} token */
export function useToken(token) {
  held = token;
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // The page knows it until it is left.
  }
}

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? held;
  } catch {
    return held;
  }
}

/**
 * For people to tell two links apart; who it really is, the server says.
 * @param {string} token
 */
export function userOf(token) {
  try {
    const claims = atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    const { sub } = JSON.parse(new TextDecoder().decode(Uint8Array.from(claims, (letter) => letter.charCodeAt(0))));
    return typeof sub === 'string' && sub !== '' ? sub : 'somebody';
  } catch {
    return 'somebody';
  }
}
