// @ts-check
// The host prints a link that ends in `#token=…`. A fragment is never sent to a server; it is moved out of the
// address bar at once, so that it is neither shared nor kept in the history.

const KEY = 'talktime.token';

/** @returns {string | undefined} */
export function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token');
  try {
    if (token) {
      sessionStorage.setItem(KEY, token);
      history.replaceState(null, '', location.pathname + location.search);
    }
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return token ?? undefined;
  }
}
