import type { LoginReply } from '../authorization-server.js';
import { LoginFailed, LoginRefused } from '../login-errors.js';

/** What goes into a header as it is. */
const VISIBLE = /^[\x21-\x7e]{1,16384}$/;
const WORD = /^[a-z][a-z0-9_]{0,63}$/;

/** A field that must be there. @throws LoginFailed */
export function textIn({ body, status }: LoginReply, name: string): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new LoginFailed(status === 200 ? `no_${name}` : `http_${status}`);
}

/** A token that a header can carry. @throws LoginFailed */
export function tokenIn(reply: LoginReply, name: string): string {
  const token = textIn(reply, name);
  if (!VISIBLE.test(token)) throw new LoginFailed(`unusable_${name}`);
  return token;
}

export const optionalTokenIn = (reply: LoginReply, name: string): string | null => (reply.body[name] ? tokenIn(reply, name) : null);

/** A number, also where it is written as a text; null: there is none. */
export function numberIn({ body }: LoginReply, name: string): number | null {
  const value = typeof body[name] === 'string' && body[name] !== '' ? Number(body[name]) : body[name];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** The word a refusal gives as its reason, in OAuth's form or in OpenAI's; null: none. */
export function reasonIn({ body }: LoginReply): string | null {
  const error = body['error'];
  const word = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : error;
  return typeof word === 'string' && WORD.test(word) ? word : null;
}

/** Not the person's subscription is at fault, but the operator's registration. */
const OPERATORS = /^(invalid_client|unauthorized_client)$/;

/** Throws for a reply to a token request that is no token: a refusal, or an answer that cannot be read. */
export function refuse(reply: LoginReply): never {
  const reason = reasonIn(reply);
  const final = reply.status === 401 || reply.status === 403 || /^(invalid_grant|refresh_token_\w+)$/.test(reason ?? '');
  if (final && !OPERATORS.test(reason ?? '')) throw new LoginRefused(reason ?? `http_${reply.status}`);
  throw new LoginFailed(reason ?? `http_${reply.status}`);
}

/** When a token ends that is good for so many seconds; null: it does not say. */
export const endsIn = (seconds: number | null, now: number): number | null => (seconds === null ? null : now + seconds * 1000);
