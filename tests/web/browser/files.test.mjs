// How the files are served.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { BASE } from './support.mjs';

const skip = BASE ? false : 'TALKTIME_BASE_URL is not set';

/** Sends the path as it is; `fetch` would tidy it up. */
function get(path, { method = 'GET', headers = {} } = {}) {
  const { hostname, port } = new URL(BASE);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, method, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.on('error', reject);
    request.end();
  });
}

const FILES = [
  ['/practice', 'text/html; charset=utf-8', 'no-cache'],
  ['/admin', 'text/html; charset=utf-8', 'no-cache'],
  ['/pricing', 'text/html; charset=utf-8', 'no-cache'],
  ['/usage.js', 'text/javascript; charset=utf-8', 'public, max-age=300'],
  ['/usage.d.ts', 'text/plain; charset=utf-8', 'public, max-age=300'],
  ['/site.css', 'text/css; charset=utf-8', 'public, max-age=300'],
  ['/icon.svg', 'image/svg+xml', 'public, max-age=300'],
];
for (const [path, type, caching] of FILES) {
  test(`${path}: type, caching, ETag`, { skip }, async () => {
    const whole = await get(path);
    assert.equal(whole.status, 200);
    assert.equal(whole.headers['content-type'], type);
    assert.equal(whole.headers['cache-control'], caching);
    assert.equal(Number(whole.headers['content-length']), whole.body.length);
    const { etag } = whole.headers;
    assert.match(etag, /^"[0-9a-f]{32}"$/);
    const held = await get(path, { headers: { 'If-None-Match': `"other", W/${etag}` } });
    assert.equal(held.status, 304);
    assert.equal(held.body.length, 0);
    assert.equal(held.headers.etag, etag);
    assert.equal((await get(path, { headers: { 'If-None-Match': '"other"' } })).status, 200);
    const head = await get(path, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.equal(head.headers['content-length'], whole.headers['content-length']);
  });
}

test('every answer is strict', { skip }, async () => {
  for (const path of ['/practice', '/usage.js', '/nothing', '/']) {
    const { headers } = await get(path);
    const policy = headers['content-security-policy'];
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' /);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
  }
});

test('pages of other origins may import the modules, and nothing else', { skip }, async () => {
  assert.equal((await get('/usage-bar.js')).headers['access-control-allow-origin'], '*');
  assert.equal((await get('/practice')).headers['access-control-allow-origin'], undefined);
});

test('only GET and HEAD', { skip }, async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await get('/practice', { method });
    assert.equal(status, 405, method);
    assert.equal(headers.allow, 'GET, HEAD');
  }
});

test('the root leads to the practice page', { skip }, async () => {
  const { status, headers } = await get('/');
  assert.equal(status, 307);
  assert.equal(headers.location, '/practice');
});

const NOTHING = ['/nothing', '/usage', '/practice/', '/usage.js/', '/%75sage.js', '/../Cargo.toml', '/..%2f..%2fCargo.toml',
  '/%2e%2e/spin.toml', '/static/usage.js', '/client/usage.js', '//usage.js', '/.env', '/USAGE.JS', '/usage.js%00'];
test('no other path gives a file', { skip }, async () => {
  for (const path of NOTHING) {
    const { status, headers, body } = await get(path);
    // A host may refuse a path before the component sees it.
    assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    if (status === 404 && headers['content-type'] === 'application/problem+json') {
      assert.equal(JSON.parse(body).code, 'not_found', path);
    }
  }
});
