import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AdminCaller, actorOf, actsAs } from '../../kernel/admin-caller.js';
import type { Setter } from '../../kernel/setter.js';
import type { SignedIn } from '../../people/index.js';

/** Who is calling the admin REST, and where. */
export interface Admin {
  caller: AdminCaller;
  /** The tenant it acts inside; null: on the platform. */
  tenantId: string | null;
  /** The session that it came with; null: with a key. */
  signedIn: SignedIn | null;
}

export type AdminRequest = FastifyRequest & { admin: Admin };

export const adminOf = (context: ExecutionContext): Admin => context.switchToHttp().getRequest<AdminRequest>().admin;

/** The tenant a route for tenants acts inside. */
export const TenantId = createParamDecorator((_: unknown, context: ExecutionContext): string => adminOf(context).tenantId!);

/** Who sends the request. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): AdminCaller => adminOf(context).caller);

/** The only project that the caller may see and change; null: all of the tenant. */
export const ProjectId = createParamDecorator((_: unknown, context: ExecutionContext): string | null => {
  const { caller } = adminOf(context);
  return caller.kind === 'operator' ? null : caller.projectId;
});

/** The header with the id of a request, which answers, the log and the audit log have. */
export const REQUEST_ID = 'x-request-id';

export const requestIdOf = (reply: FastifyReply): string => String(reply.getHeader(REQUEST_ID));

/** Who did it, for records: the public id of the key or the person. */
export const Actor = createParamDecorator((_: unknown, context: ExecutionContext): string => actorOf(adminOf(context).caller));

/** The person of a route for those who are signed in, and its session. */
export const Signed = createParamDecorator((_: unknown, context: ExecutionContext): SignedIn => adminOf(context).signedIn!);

/** Whose rules it makes: an operator's are the platform's, also inside a tenant. */
export const ActsAs = createParamDecorator((_: unknown, context: ExecutionContext): Setter => actsAs(adminOf(context).caller));
