import { createHash } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';

/** A page that only looks at a link must not use it up: a person presses the button. */
const SCRIPT = `
const token = new URLSearchParams(location.hash.slice(1)).get('token');
history.replaceState(null, '', location.pathname);
const say = (text) => { document.querySelector('p').textContent = text; };
const button = document.querySelector('button');
if (token === null) { button.hidden = true; say('This page needs a sign-in link.'); }
button.onclick = async () => {
  button.hidden = true;
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch('/v1/auth/links/redeem', { method: 'POST', headers, body: JSON.stringify({ token }) }).catch(() => null);
  say(reply === null ? 'Weir does not answer.' : reply.ok ? 'You are signed in.' : (await reply.json()).error.message);
};
`;

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in to Weir</title>
<h1>Weir</h1>
<p>The link works once.</p>
<button>Sign in</button>
<script>${SCRIPT}</script>
</html>
`;

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Where sign-in links lead: `GET /sign-in`, to everybody. Call it once, before the app is initialized. */
export function mountSignInPage(app: NestFastifyApplication): void {
  const listener = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  listener.get('/sign-in', (_request, reply) => reply.headers(HEADERS).send(PAGE));
}
