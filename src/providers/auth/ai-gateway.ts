import { z } from 'zod';
import { type Auth, fixedHeaders } from './auth.js';
import { visible } from './fields.js';

const MAX_LENGTH = 8_192;

/** For a gateway of Cloudflare's that asks for a token of its own. */
export const AiGatewayCredential = z.strictObject({
  type: z.literal('ai_gateway'),
  token: visible(MAX_LENGTH).describe('A Cloudflare API token that may run the gateway.'),
  key: visible(MAX_LENGTH).optional().describe('The credential of the provider behind the gateway. Absent: the gateway has its own.'),
});

export const aiGatewayAuth = ({ token, key }: z.output<typeof AiGatewayCredential>): Auth =>
  fixedHeaders('cf-aig-authorization', `Bearer ${token}`, ...(key === undefined ? [] : ['authorization', `Bearer ${key}`]));
