import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Caller } from '../../api-keys/index.js';
import { WeirError } from '../../kernel/errors.js';
import { THINKING_LEVELS } from '../../kernel/thinking.js';
import { unixSeconds } from '../../platform/openapi/index.js';
import { Router } from '../../routing/index.js';
import { type Session, SessionBook, type SessionKey } from '../../sessions/index.js';
import { LABEL } from '../call-options.js';
import { RequestAuth } from '../request-auth.js';
import { bodyOf } from '../request-body.js';
import { asTenant, nothingBut } from './surface.js';

export const PutSession = z
  .strictObject({
    id: z.string().regex(LABEL, { error: 'must be 1 to 256 printable characters' }).describe('What calls send as `x-weir-session`.'),
    default_model: z.string().nullable().optional().describe('The model of its calls that name none: a reference, or the name of a route.'),
    thinking_level: z.enum(THINKING_LEVELS).nullable().optional().describe('How much models think in its calls that do not say.'),
  })
  .meta({ id: 'PutSession' });

/** `/v1/sessions`: what calls of a session use where they say nothing else. */
@Injectable()
export class OwnSessions {
  constructor(
    private readonly auth: RequestAuth,
    private readonly router: Router,
    private readonly sessions: SessionBook,
  ) {}

  put = async (request: FastifyRequest): Promise<object> => {
    const { caller } = this.auth.verify(request);
    const { id, default_model: defaultModel = null, thinking_level: thinkingLevel = null } = read(bodyOf(request).json);
    if (defaultModel !== null) this.router.plan(caller, nothingBut(defaultModel, 'default_model')); // 403 404
    return render(await asTenant(caller, () => this.sessions.put({ ...keyOf(caller, id), defaultModel, thinkingLevel })));
  };

  get = async (request: FastifyRequest): Promise<object> => {
    const { caller } = this.auth.verify(request);
    const session = await asTenant(caller, () => this.sessions.get(keyOf(caller, idOf(request))));
    if (!session) throw noSession();
    return render(session);
  };

  delete = async (request: FastifyRequest): Promise<object> => {
    const { caller } = this.auth.verify(request);
    const id = idOf(request);
    if (!(await asTenant(caller, () => this.sessions.delete(keyOf(caller, id))))) throw noSession();
    return { id, object: 'session', deleted: true };
  };
}

const keyOf = ({ tenantId, projectId }: Caller, id: string): SessionKey => ({ tenantId, projectId, id });

const idOf = ({ params }: FastifyRequest): string => (params as { '*': string })['*'];

function read(body: unknown): z.output<typeof PutSession> {
  const { data, error } = PutSession.safeParse(body);
  if (data) return data;
  const { path, message } = error.issues[0]!;
  const param = path.join('.') || null;
  throw new WeirError('invalid_request', { ...(param && { param }), message: param ? `"${param}": ${message}.` : `${message}.` });
}

const noSession = (): WeirError => new WeirError('not_found', { message: 'The session has no defaults.' });

const render = ({ id, defaultModel, thinkingLevel, createdAt }: Session) => ({
  id,
  object: 'session',
  default_model: defaultModel,
  thinking_level: thinkingLevel,
  created_at: unixSeconds(createdAt),
});
