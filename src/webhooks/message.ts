import { publicId } from '../kernel/ids.js';
import { dataOf, kindOf, type Notice, type StoredEvent } from './events.js';
import { signedHeaders } from './signature.js';
import type { WebhookFormat, WebhookTarget } from './webhook.js';

/** A request that tells an event. */
interface Message {
  /** Names and values in turn. */
  headers: string[];
  body: string;
}

/** The message for people that tells an event. */
export const noticeOf = (event: StoredEvent): Notice => kindOf(event.type).notice(dataOf(event));

/** Writes an event for a receiver. @param at Unix time in ms, when it is sent. */
export function messageOf(
  format: Exclude<WebhookFormat, 'email'>,
  id: string,
  event: StoredEvent,
  target: WebhookTarget,
  at: number,
): Message {
  const body = JSON.stringify(BODIES[format](event));
  const secrets = target.secrets.filter(({ until }) => until === null || until > at).map(({ secret }) => secret);
  const signed = secrets.length > 0 ? signedHeaders(publicId('delivery', id), new Date(at), body, secrets) : [];
  return { headers: ['content-type', 'application/json', 'user-agent', 'Weir-Webhooks', ...signed], body };
}

const BODIES: Readonly<Record<Exclude<WebhookFormat, 'email'>, (event: StoredEvent) => object>> = {
  standard: (event) => ({ type: event.type, timestamp: event.createdAt.toISOString(), data: dataOf(event) }),
  slack: (event) => slack(noticeOf(event)),
  teams: (event) => teams(noticeOf(event)),
};

/** An incoming webhook of Slack. */
function slack({ title, text }: Notice): object {
  return { text: `*${escapeSlack(title)}*\n${escapeSlack(text)}` };
}

/** An adaptive card for a workflow of Microsoft Teams. */
function teams({ title, text }: Notice): object {
  const block = (words: string, style: object) => ({ type: 'TextBlock', text: escapeMarkdown(words), wrap: true, ...style });
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [block(title, { weight: 'Bolder', size: 'Medium' }), block(text, {})],
  };
  return { type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content }] };
}

/** Names are the tenant's own: none of them is to be a link or a mention. */
const escapeSlack = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const escapeMarkdown = (text: string): string => text.replace(/[\\`*_[\]()<>]/g, '\\$&');
