import { z } from 'zod';
import type { JsonObject } from '../../platform/openapi/index.js';
import { EVENT_TYPES, eventSchema, kindOf } from '../../webhooks/index.js';

const HEADERS = [
  ['webhook-id', 'The same each time this event is sent: take each id once.'],
  ['webhook-timestamp', 'When it was sent, in Unix seconds.'],
  ['webhook-signature', 'Signatures as Standard Webhooks has them, with a blank between two.'],
].map(([name, description]) => ({ name: name!, in: 'header', required: true, description: description!, schema: { type: 'string' } }));

/** `webhooks` of the document: what is sent to webhooks of the format `standard`, by type. */
export const eventOperations = (): JsonObject =>
  Object.fromEntries(
    EVENT_TYPES.map((type) => {
      const { $schema: _, ...schema } = z.toJSONSchema(eventSchema(type), { target: 'draft-2020-12' }) as JsonObject;
      const operation = {
        operationId: `event.${type}`,
        summary: kindOf(type).summary,
        tags: ['Events'],
        security: [],
        parameters: HEADERS,
        requestBody: { required: true, content: { 'application/json': { schema } } },
        responses: {
          '2XX': { description: 'The receiver has it.' },
          '410': { description: 'The receiver is gone: the webhook is disabled.' },
        },
      };
      return [type, { post: operation as unknown as JsonObject }];
    }),
  );
