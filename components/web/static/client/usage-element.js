// @ts-check
// What the two elements share: attributes and properties for the same values, drawn once a frame, text as text.

import { safeUrl } from './usage-credit.js';

// Node (a unit test, a server-side render) has no HTMLElement; there the classes exist and are not used.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/** @param {string} css */
export function styleSheet(css) {
  // Constructed, because a strict Content-Security-Policy forbids <style>.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  return sheet;
}

/** @param {string} name `minutesUsed` as `minutes-used` */
const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export class UsageElement extends Base {
  /** @type {readonly string[]} */
  static values = [];

  // Both spellings: frameworks that set attributes write `minutesUsed`, which HTML lower-cases.
  static get observedAttributes() {
    return this.values.flatMap((name) => [...new Set([kebab(name), name.toLowerCase()])]);
  }

  /** @type {Map<string, unknown>} */
  #properties = new Map();
  #drawn = false;

  connectedCallback() {
    const { values } = /** @type {typeof UsageElement} */ (this.constructor);
    for (const name of [...values, 'status']) this.#adopt(name);
    this.draw();
  }

  attributeChangedCallback() {
    this.requestDraw();
  }

  /** @param {string} name */
  get(name) {
    return this.#properties.get(name) ?? this.getAttribute(kebab(name)) ?? this.getAttribute(name.toLowerCase());
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  set(name, value) {
    if (Object.is(this.#properties.get(name), value)) return;
    this.#properties.set(name, value);
    this.requestDraw();
  }

  /**
   * @param {string} name
   * @returns {number | undefined} undefined when it is absent or no number
   */
  number(name) {
    const value = this.get(name);
    if (value === null || value === undefined || value === '') return undefined;
    const number = Number(value);
    return Number.isFinite(number) ? number : undefined;
  }

  /** @param {string} name */
  text(name) {
    const value = this.get(name);
    return value === null || value === undefined ? '' : String(value);
  }

  /** Several values that are set together are drawn together. */
  requestDraw() {
    if (!this.isConnected || this.#drawn) return;
    this.#drawn = true;
    queueMicrotask(() => {
      this.#drawn = false;
      if (this.isConnected) this.draw();
    });
  }

  draw() {}

  /** A status answer's own address is for those who name none on the element. @type {string | null | undefined} */
  statusUpgradeUrl;

  /** @param {HTMLAnchorElement} link */
  drawUpgradeLink(link) {
    const href = safeUrl(this.text('upgradeUrl') || this.statusUpgradeUrl || '/pricing');
    if (href) link.href = href;
    else link.removeAttribute('href');
    const newTab = this.text('upgradeTarget') === '_blank';
    link.target = newTab ? '_blank' : '';
    link.rel = newTab ? 'noopener' : '';
    link.textContent = 'Upgrade Plan';
    if (newTab) link.append(hiddenText(' (opens in a new tab)'));
  }

  /**
   * A property that was set before the element was defined hides the accessor of the class.
   * @param {string} name
   */
  #adopt(name) {
    if (!Object.hasOwn(this, name)) return;
    const self = /** @type {any} */ (this);
    const value = self[name];
    delete self[name];
    self[name] = value;
  }
}

/**
 * Gives `element` a property for each of its values.
 * @param {typeof UsageElement} element
 * @param {string} tag
 */
export function define(element, tag) {
  for (const name of element.values) {
    Object.defineProperty(element.prototype, name, {
      configurable: true,
      enumerable: true,
      get() {
        return this.get(name) ?? undefined;
      },
      set(value) {
        this.set(name, value);
      },
    });
  }
  if (globalThis.customElements && !customElements.get(tag)) customElements.define(tag, element);
}

/** @param {string} text */
function hiddenText(text) {
  const span = document.createElement('span');
  span.className = 'hidden-text';
  span.textContent = text;
  return span;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} part its class, and its `::part()` for pages that want another look
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, part) {
  const node = document.createElement(tag);
  node.className = part;
  node.setAttribute('part', part);
  // The words are English, and a plan's name is anybody's; the page around them may run from right to left.
  node.dir = 'auto';
  return node;
}

export const sharedStyles = `
:host {
  --_green: var(--usage-green, light-dark(#1a7f45, #4cc97f));
  --_amber: var(--usage-amber, light-dark(#a85a00, #f0a63a));
  --_red: var(--usage-red, light-dark(#bf2330, #ff7f7a));
  --_track: var(--usage-track, light-dark(#e1e4ea, #363c49));
  --_link: var(--usage-link, light-dark(#3140b5, #aab4ff));
  color-scheme: inherit;
  display: block;
  font: inherit;
  line-height: 1.35;
}
:host([hidden]) { display: none; }
a { color: var(--_link); font-weight: 600; text-underline-offset: 0.15em; white-space: nowrap; border-radius: 3px; }
a:focus-visible { outline: 2px solid var(--_link); outline-offset: 2px; }
[hidden] { display: none !important; }
.hidden-text {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
`;
