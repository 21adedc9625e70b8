// The session routes over one Durable Object for each user, as the design that Talktime replaces has them: the worker
// knows the caller and the routes, the object the minutes, D1 the rows of sessions and periods.

import { UserUsageObject } from './user-usage-object.mjs';

export { UserUsageObject };

const encoder = new TextEncoder();
const USER_ID = /^[A-Za-z0-9._\-@:|+=~]{1,128}$/;
const DIFFICULTIES = ['beginner', 'intermediate', 'advanced'];

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const route = ROUTES[`${request.method} ${pathname}`];
    if (!route) return refusal(404, 'not_found', 'There is nothing here');
    const user = trustedUser(request, env);
    if (!user) return refusal(401, 'unauthorized', 'A credential is needed');
    const object = env.USER_USAGE.get(env.USER_USAGE.idFromName(user));
    return route(object, request, env, user);
  },
};

const ROUTES = {
  'GET /api/session/status': async (object) => Response.json(await object.getStatus()),

  'POST /api/session/start': async (object, request, env, user) => {
    const body = await bodyOf(request);
    if (!body) return refusal(400, 'bad_request', 'The body is no JSON object');
    const { topic = null, difficulty = null } = body;
    if (topic !== null && (typeof topic !== 'string' || topic.length > 200)) return invalid('topic');
    if (difficulty !== null && !DIFFICULTIES.includes(difficulty)) return invalid('difficulty');
    const done = await object.startSession(user, { topic, difficulty });
    if (done.refused) return refusal(done.status, done.refused, done.error);
    await env.DB.prepare('INSERT INTO usage_sessions (id, user_id, started_at, topic, difficulty) VALUES (?, ?, ?, ?, ?)')
      .bind(done.sessionId, user, Math.floor(Date.parse(done.startedAt) / 1000), topic, difficulty)
      .run();
    return Response.json(done);
  },

  'POST /api/session/heartbeat': async (object, request) => {
    const sessionId = await sessionOf(request);
    if (!sessionId) return invalid('sessionId');
    return answer(await object.heartbeat(sessionId));
  },

  'POST /api/session/end': async (object, request) => {
    const sessionId = await sessionOf(request);
    if (!sessionId) return invalid('sessionId');
    return answer(await object.endSession(sessionId));
  },
};

/** The user that a trusted server speaks for; the secret is compared in constant time. */
function trustedUser(request, env) {
  const given = encoder.encode(request.headers.get('x-internal-secret') ?? '');
  const secret = encoder.encode(env.INTERNAL_API_SECRET);
  if (given.byteLength !== secret.byteLength || !crypto.subtle.timingSafeEqual(given, secret)) return null;
  const user = request.headers.get('x-user-id') ?? '';
  return USER_ID.test(user) ? user : null;
}

/** The body, or an empty object if there is none; null if it is no JSON object. */
async function bodyOf(request) {
  const text = await request.text();
  if (text === '') return {};
  try {
    const body = JSON.parse(text);
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : null;
  } catch {
    return null;
  }
}

async function sessionOf(request) {
  const body = await bodyOf(request);
  return typeof body?.sessionId === 'string' ? body.sessionId : null;
}

function answer(done) {
  return done.refused ? refusal(done.status, done.refused, done.error) : Response.json(done);
}

function invalid(field) {
  return refusal(400, 'invalid_field', `${field} is missing or wrong`);
}

function refusal(status, code, error) {
  return Response.json({ status, code, error }, { status, headers: { 'content-type': 'application/problem+json' } });
}
